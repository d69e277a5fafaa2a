import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import type { AppRouter } from '../../../src/server/router.js'
import { startRegistry } from '../../registry.js'
import { aPublishedAgent } from '../../stories/actors.js'

test('introductions.watch delivers each notification once and in order, across lost sockets and two servers', async () => {
  await using registry = await startRegistry()
  const acme = await registry.organisation('Acme')
  const target = await aPublishedAgent(registry, { registeredBy: acme })
  const requester = await registry.agent({ registeredBy: acme, ceiling: { rights: [{ audience: target.audience, scope: 'ocr:read' }] } })
  const tickets: string[] = []
  const addTicket = async () => tickets.push((await target.mutate<{ ticket: string }>('system.ticket')).ticket)
  // On a busy machine some attempts to connect fail, and each uses one
  for (let i = 0; i < 20; i++) await addTicket()
  class Authenticated extends WebSocket {
    constructor(address: string) {
      super(address, ['trpc', `ticket.${tickets.pop()}`])
    }
  }
  const client = createWSClient({
    url: `${registry.issuer.replace('http', 'ws')}/trpc`,
    WebSocket: Authenticated as never,
    retryDelayMs: () => 10,
  })
  const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client })] })
  const seen: number[] = []
  const subscription = trpc.introductions.watch.subscribe({}, { onData: ({ data }) => seen.push(data.position) })
  for (let i = 0; i < 12; i++) {
    await requester.introductions.request({ to: target.agentId, purpose: `${i}`, scopes: ['ocr:read'] })
    if (i % 4 === 3) registry.front.cutSockets()
    registry.clock.advance(1)
  }
  await expect
    .poll(
      async () => {
        registry.clock.advance(1)
        // The others expire by this clock
        await addTicket()
        return seen
      },
      { timeout: 15_000 },
    )
    .toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
  subscription.unsubscribe()
  await client.close()
})
