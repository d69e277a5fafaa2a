import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import type { AppRouter } from '../../../src/server/router.js'
import { startRegistry } from '../../registry.js'
import { aPublishedAgent } from '../../stories/actors.js'

test('approvals.watch tells a member what waits in its organisation and how requests of its agents were decided, in order, until its membership ends', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const [acme, globex] = [await registry.organisation('Acme'), await registry.organisation('Globex')]
  const { code } = await acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })
  const member = await registry.join(code, 'Mo')
  const callee = await aPublishedAgent(registry, { registeredBy: globex })
  const rights = [{ audience: callee.audience, scope: 'ocr:read' }]
  const [agent, caller] = [
    await aPublishedAgent(registry, { registeredBy: acme, ceiling: { rights } }),
    await registry.agent({ registeredBy: globex }),
  ]
  await globex.mutate('agents.change', {
    agentId: caller.agentId,
    ceiling: { scopes: ['introductions:write', 'tokens:exchange'], rights: [{ audience: agent.audience, scope: 'ocr:read' }] },
  })
  const { ticket } = await member.mutate<{ ticket: string }>('system.ticket')
  class Authenticated extends WebSocket {
    constructor(address: string) {
      super(address, ['trpc', `ticket.${ticket}`])
    }
  }
  let close = () => {}
  const isClosed = new Promise<void>((resolve) => {
    close = resolve
  })
  const client = createWSClient({
    onClose: () => close(),
    url: `${registry.issuer.replace('http', 'ws')}/trpc`,
    WebSocket: Authenticated as never,
    retryDelayMs: () => 60_000,
  })
  const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client })] })
  const seen: unknown[] = []
  const subscription = trpc.approvals.watch.subscribe(
    {},
    { onData: ({ data: { position, kind, introductionId } }) => seen.push([position, kind, introductionId]), onComplete: () => close() },
  )
  const waits = await caller.introductions.request({ to: agent.agentId, purpose: 'x', scopes: ['ocr:read'] })
  const own = await agent.introductions.request({ to: callee.agentId, purpose: 'x', scopes: ['ocr:read'] })
  await callee.introductions.deny(own.introductionId)
  const expected = [
    [1, 'requested', waits.introductionId],
    [2, 'denied', own.introductionId],
  ]
  await expect
    .poll(
      () => {
        registry.clock.advance(1)
        return seen
      },
      { timeout: 15_000 },
    )
    .toEqual(expected)
  await acme.mutate('members.revoke', { memberId: member.clientId })
  await caller.introductions.request({ to: agent.agentId, purpose: 'another', scopes: ['ocr:read'] })
  registry.clock.advance(1)
  await isClosed
  expect(seen).toEqual(expected)
  subscription.unsubscribe()
  await client.close()
})
