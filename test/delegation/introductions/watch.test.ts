import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import type { AppRouter } from '../../../src/server/router.js'
import { startRegistry } from '../../registry.js'
import { aCallee } from '../../stories/actors.js'

test('introductions.watch tells each item once and in order, over lost sockets and both servers', async () => {
  await using registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const callee = await aCallee(registry, { of: acme })
  const caller = await registry.agent({ of: acme, ceiling: { rights: [{ audience: callee.audience, scope: 'ocr:read' }] } })
  const tickets: string[] = []
  for (let i = 0; i < 10; i++) tickets.push((await callee.mutate<{ ticket: string }>('system.ticket')).ticket)
  class Authenticated extends WebSocket {
    constructor(address: string) {
      super(address, ['trpc', `ticket.${tickets.shift()}`])
    }
  }
  const client = createWSClient({
    url: `${registry.issuer.replace('http', 'ws')}/trpc`,
    WebSocket: Authenticated as never,
    retryDelayMs: () => 10,
  })
  const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client })] })
  const seen: number[] = []
  const subscription = trpc.introductions.watch.subscribe({}, { onData: ({ data }) => seen.push(data.seq) })
  for (let i = 0; i < 12; i++) {
    await caller.introductions.request({ to: callee.agentId, purpose: `${i}`, scopes: ['ocr:read'] })
    if (i % 4 === 3) registry.front.cutSockets()
    registry.clock.advance(1)
  }
  await expect
    .poll(
      () => {
        registry.clock.advance(1)
        return seen
      },
      { timeout: 10_000 },
    )
    .toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
  subscription.unsubscribe()
  await client.close()
})
