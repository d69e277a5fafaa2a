import { once } from 'node:events'
import { expect, test } from 'vitest'
import WebSocket from 'ws'
import { refuse } from '../../src/errors.js'
import { FEED_PROTOCOL, TICKET_PREFIX } from '../../src/protocol/log/feed.js'
import { startRegistry } from '../registry.js'

test('sync messages whose read barrier failed do not count against later ones', async () => {
  await using registry = await startRegistry()
  let isDown = false
  const server = await registry.addServer(async (name, work) =>
    name === 'log.head' && isDown ? refuse('unavailable', 'the store is down') : work(),
  )
  const agent = await registry.agent({ registeredBy: await registry.organisation('Acme') })
  const { ticket } = await agent.mutate<{ ticket: string }>('system.ticket')
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}/revocations`, [FEED_PROTOCOL, TICKET_PREFIX + ticket])
  const messages: { type: string; n?: number }[] = []
  ws.on('message', (data) => messages.push(JSON.parse(String(data))))
  await once(ws, 'open')
  ws.send(JSON.stringify({ type: 'subscribe' }))
  await expect.poll(() => messages.some(({ type }) => type === 'snapshot')).toBe(true)
  isDown = true
  for (let n = 1; n <= 20; n++) {
    ws.send(JSON.stringify({ type: 'sync', n }))
    await expect.poll(() => messages.filter(({ type }) => type === 'error').length).toBe(n)
  }
  isDown = false
  ws.send(JSON.stringify({ type: 'sync', n: 21 }))
  await expect.poll(() => messages.at(-1)).toMatchObject({ type: 'synced', n: 21 })
  ws.terminate()
})
