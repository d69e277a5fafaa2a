import { expect } from 'vitest'
import WebSocket from 'ws'
import { FEED_PROTOCOL } from '../../src/protocol/log/feed.js'
import { proofOf } from '../oauth.js'
import { attack, dependencies } from './attack.js'

const on = dependencies()

const feedHeaders = async () => {
  const { accessToken } = await on.planner.token()
  return {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(on.registry, on.planner.signer, { htm: 'GET', path: '/revocations', accessToken }),
  }
}
const socketUrl = (path = '/revocations') => `${on.registry.issuer.replace('http', 'ws')}${path}`
const upgrade = (options: WebSocket.ClientOptions, path?: string, protocols = [FEED_PROTOCOL]) =>
  new Promise<number>((resolve) => {
    const ws = new WebSocket(socketUrl(path), protocols, options)
    ws.on('unexpected-response', (request, { statusCode }) => {
      resolve(statusCode ?? 0)
      request.destroy()
    })
    ws.on('open', () => {
      resolve(101)
      ws.terminate()
    })
    ws.on('error', () => resolve(0))
  })
attack(
  'WS-01',
  'a script of another origin',
  on,
  async () => expect(await upgrade({ origin: 'https://evil.example', headers: { ...(await feedHeaders()), cookie: 'a=b' } })).toBe(403),
  { writes: false },
)
attack(
  'WS-02',
  'a token in the URL',
  on,
  async () => {
    const { accessToken } = await on.planner.token()
    for (const name of ['access_token', 'token', 'ticket']) expect(await upgrade({}, `/revocations?${name}=${accessToken}`)).toBe(400)
  },
  { writes: false },
)
attack(
  'WS-03',
  'three hundred upgrades without a token',
  on,
  async () => {
    const statuses = new Set(await Promise.all(Array.from({ length: 300 }, () => upgrade({}))))
    expect([...statuses].every((status) => status === 401 || status === 429)).toBe(true)
    expect(await upgrade({ headers: await feedHeaders() })).toBe(101)
  },
  { writes: false },
)
attack(
  'WS-06',
  'an offer of compression is not taken up',
  on,
  async () => {
    const ws = new WebSocket(socketUrl(), [FEED_PROTOCOL], { headers: await feedHeaders(), perMessageDeflate: true })
    await new Promise<void>((resolve) => ws.on('open', () => resolve()))
    expect(ws.extensions).toBe('')
    ws.terminate()
  },
  { writes: false },
)
attack(
  'WS-07',
  'thousands of headers, huge protocols, odd extensions',
  on,
  async () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, 'y']))
    for (const headers of [many, { 'sec-websocket-extensions': 'constructor' }, { 'sec-websocket-protocol': 'x,'.repeat(3000) }])
      expect(await upgrade({ headers })).not.toBe(101)
  },
  { writes: false },
)
attack(
  'WS-08',
  'more than eight subscriptions on a socket',
  on,
  async () => {
    const { accessToken } = await on.planner.token()
    const headers = {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(on.registry, on.planner.signer, { htm: 'GET', path: '/trpc', accessToken }),
    }
    const ws = new WebSocket(socketUrl('/trpc'), { headers })
    const code = await new Promise<number>((resolve) => {
      ws.on('open', () => {
        for (let id = 1; id <= 100; id++)
          ws.send(JSON.stringify({ id, method: 'subscription', params: { path: 'revocations.watch', input: {} } }))
      })
      ws.on('close', resolve)
    })
    expect(code).toBe(4429)
  },
  { writes: false },
)
for (const [what, frame, codes] of [
  ['binary', Buffer.from([1]), [1003]],
  ['no JSON', '{', [1008]],
  ['an id that is null', '{"id":null}', [1008]],
  ['70 KB', 'x'.repeat(70_000), [1009]],
] as const)
  attack(
    'WS-09',
    `a frame that is ${what}`,
    on,
    async () => {
      const ws = new WebSocket(socketUrl(), [FEED_PROTOCOL], { headers: await feedHeaders() })
      ws.on('open', () => ws.send(frame))
      expect(codes).toContain(await new Promise<number>((resolve) => ws.on('close', resolve)))
    },
    { writes: false },
  )
attack('WS-10', 'whoever is revoked while connected', on, async () => {
  const agent = await on.registry.agent({ of: on.globex })
  const { accessToken } = await agent.token()
  const ws = new WebSocket(socketUrl(), [FEED_PROTOCOL], {
    headers: {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(on.registry, agent.signer, { htm: 'GET', path: '/revocations', accessToken }),
    },
  })
  await new Promise<void>((resolve) => ws.on('message', () => resolve()))
  const closed = new Promise<number>((resolve) => ws.on('close', resolve))
  await on.globex.mutate('agents.suspend', { agentId: agent.agentId })
  on.registry.clock.advance(1)
  expect(await closed).toBe(4401)
})
