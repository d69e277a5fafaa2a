import { expect } from 'vitest'
import WebSocket from 'ws'
import { FEED_PROTOCOL } from '../../src/protocol/log/feed.js'
import { proofOf } from '../oauth/requests.js'
import { attack, attackSetup } from './attack.js'

const setup = attackSetup()

const feedHeaders = async () => {
  const { accessToken } = await setup.planner.token()
  return {
    authorization: `DPoP ${accessToken}`,
    dpop: await proofOf(setup.registry, setup.planner.signer, { htm: 'GET', path: '/revocations', accessToken }),
  }
}
const socketUrl = (path = '/revocations') => `${setup.registry.issuer.replace('http', 'ws')}${path}`
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
  'an upgrade by a script from another origin is refused',
  setup,
  async () => expect(await upgrade({ origin: 'https://evil.example', headers: { ...(await feedHeaders()), cookie: 'a=b' } })).toBe(403),
  { writes: false },
)
attack(
  'WS-02',
  'a token in the URL is refused',
  setup,
  async () => {
    const { accessToken } = await setup.planner.token()
    for (const name of ['access_token', 'token', 'ticket']) expect(await upgrade({}, `/revocations?${name}=${accessToken}`)).toBe(400)
  },
  { writes: false },
)
attack(
  'WS-03',
  '300 concurrent upgrades without a token do not keep out a client with a token',
  setup,
  async () => {
    const statuses = new Set(await Promise.all(Array.from({ length: 300 }, () => upgrade({}))))
    expect([...statuses].every((status) => status === 401 || status === 429)).toBe(true)
    expect(await upgrade({ headers: await feedHeaders() })).toBe(101)
  },
  { writes: false },
)
attack(
  'WS-06',
  'an offer of compression is not accepted',
  setup,
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
  '2000 headers, 3000 subprotocols and malformed extensions are refused',
  setup,
  async () => {
    const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, 'y']))
    for (const headers of [many, { 'sec-websocket-extensions': 'constructor' }, { 'sec-websocket-protocol': 'x,'.repeat(3000) }])
      expect(await upgrade({ headers })).not.toBe(101)
  },
  { writes: false },
)
attack(
  'WS-08',
  '100 subscriptions on one socket close it with 4429',
  setup,
  async () => {
    const { accessToken } = await setup.planner.token()
    const headers = {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(setup.registry, setup.planner.signer, { htm: 'GET', path: '/trpc', accessToken }),
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
for (const [description, frame, codes] of [
  ['binary', Buffer.from([1]), [1003]],
  ['not JSON', '{', [1008]],
  ['a tRPC message whose id is null', '{"id":null}', [1008]],
  ['70 KB long', 'x'.repeat(70_000), [1009]],
] as const)
  attack(
    'WS-09',
    `a frame that is ${description} closes the socket`,
    setup,
    async () => {
      const ws = new WebSocket(socketUrl(), [FEED_PROTOCOL], { headers: await feedHeaders() })
      ws.on('open', () => ws.send(frame))
      expect(codes).toContain(await new Promise<number>((resolve) => ws.on('close', resolve)))
    },
    { writes: false },
  )
attack('WS-10', 'the socket of an agent is closed when the agent is suspended', setup, async () => {
  const agent = await setup.registry.agent({ registeredBy: setup.globex })
  const { accessToken } = await agent.token()
  const ws = new WebSocket(socketUrl(), [FEED_PROTOCOL], {
    headers: {
      authorization: `DPoP ${accessToken}`,
      dpop: await proofOf(setup.registry, agent.signer, { htm: 'GET', path: '/revocations', accessToken }),
    },
  })
  await new Promise<void>((resolve) => ws.on('message', () => resolve()))
  const closed = new Promise<number>((resolve) => ws.on('close', resolve))
  await setup.globex.mutate('agents.suspend', { agentId: agent.agentId })
  setup.registry.clock.advance(1)
  expect(await closed).toBe(4401)
})
