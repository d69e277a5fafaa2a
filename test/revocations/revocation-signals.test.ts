import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import WebSocket, { WebSocketServer } from 'ws'
import type { TokenCaller } from '../../src/http/caller.js'
import { untilRevoked } from '../../src/http/trpc/subscription.js'
import type { Clock } from '../../src/lib/clock.js'
import { systemRandom } from '../../src/lib/random.js'
import type { Handle } from '../../src/protocol/handles.js'
import { AgentId, Jkt, newId, OrgId, TokenId } from '../../src/protocol/ids.js'
import { Scope } from '../../src/protocol/rights.js'
import { serveFeed } from '../../src/revocations/feed-socket.js'
import { newHub } from '../../src/revocations/hub.js'
import { newRevocationSignals } from '../../src/revocations/revocation-signals.js'
import type { ServedTrustLog } from '../../src/trust-log/trust-log.js'
import { aBarrier, aHandle, end, type Logs, openLogs } from '../trust-log/open-logs.js'

let logs: Logs
let trustLog: ServedTrustLog
let signals: ReturnType<typeof newRevocationSignals>
/** Number of timers that are set. */
let timers: number
beforeEach(async () => {
  logs = await openLogs()
  trustLog = await logs.open()
  timers = 0
  const clock: Clock = {
    ...logs.clock,
    after: async (ms, signal) => {
      timers++
      await logs.clock.after(ms, signal)
      timers--
    },
  }
  signals = newRevocationSignals({ trustLog, clock })
})
afterEach(async () => {
  signals.close()
  await logs[Symbol.asyncDispose]()
})

const aCaller = (...handles: Handle[]): TokenCaller => ({
  kind: 'agent',
  id: AgentId.parse(newId(systemRandom, 'agt')),
  orgId: OrgId.parse(newId(systemRandom, 'org')),
  role: 'agent',
  scopes: [Scope.parse('revocations:read')] as unknown as TokenCaller['scopes'],
  tokenId: TokenId.parse(newId(systemRandom, 'tok')),
  jkt: Jkt.parse('A'.repeat(43)),
  dependencies: { handles, expiresAt: logs.clock.now() + 900 },
  identities: [],
  barrier: aBarrier,
})
const registered = async () => {
  await new Promise((resolve) => setImmediate(resolve))
  return { signals: signals.size, timers }
}
const open = () => new AbortController().signal

test('a signal aborts when a handle of the token ends, when the token expires, and at close', async () => {
  const handle = aHandle()
  const [revoked, expired, closed] = [
    signals.signalFor(aCaller(handle), open()),
    signals.signalFor(aCaller(aHandle()), open()),
    signals.signalFor({ ...aCaller(), dependencies: { handles: [], expiresAt: logs.clock.now() + 9000 } }, open()),
  ]
  await end(trustLog, handle)
  expect([revoked.aborted, expired.aborted, closed.aborted]).toEqual([true, false, false])
  expect(signals.signalFor(aCaller(handle), open()).aborted).toBe(true)
  logs.clock.advance(901)
  await expect.poll(() => expired.aborted).toBe(true)
  signals.close()
  expect(closed.aborted).toBe(true)
  expect(await registered()).toEqual({ signals: 0, timers: 0 })
})

test('a signal and its timer are released when the connection closes, even if it had closed before', async () => {
  const caller = aCaller(aHandle(), aHandle())
  const closed = new AbortController()
  for (let n = 0; n < 8; n++) signals.signalFor(caller, closed.signal)
  expect(await registered()).toEqual({ signals: 8, timers: 8 })
  closed.abort()
  expect(signals.signalFor(caller, closed.signal).aborted).toBe(true)
  expect(await registered()).toEqual({ signals: 0, timers: 0 })
})

test('feed sockets that were opened, authenticated again and closed leave no signal and no timer behind', async () => {
  const hub = newHub({ trustLog })
  const caller = aCaller(aHandle())
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  server.on('connection', (ws) => {
    const deps = {
      hub,
      issuer: 'r',
      clock: logs.clock,
      revocationSignal: signals.signalFor,
      authenticateToken: async () => ({ ...caller }),
      onBug: (error: unknown) => expect(error).toBe(''),
    }
    serveFeed(deps, ws, caller)
  })
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  for (let cycle = 0; cycle < 100; cycle++) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}`)
    let hellos = 0
    ws.on('message', () => hellos++)
    await once(ws, 'open')
    for (let n = 0; n < 3; n++) ws.send(JSON.stringify({ type: 'authenticate', token: 't', proof: 'p' }))
    await expect.poll(() => hellos, { interval: 1 }).toBe(4)
    expect(await registered()).toEqual({ signals: 1, timers: 1 })
    ws.close()
    await once(ws, 'close')
    await expect.poll(() => server.clients.size, { interval: 1 }).toBe(0)
  }
  expect(await registered()).toEqual({ signals: 0, timers: 0 })
  server.close()
  hub.close()
})

test.each([
  'stops',
  'fails',
  'is left by its reader',
  'is stopped before it starts',
])('a subscription that %s leaves no signal behind', async (how) => {
  const stopped = new AbortController()
  if (how === 'is stopped before it starts') stopped.abort()
  const caller = aCaller(aHandle())
  const subscription = untilRevoked({ revocationSignal: signals.signalFor, caller }, stopped.signal, async function* (until) {
    yield 1
    if (how === 'fails') throw new Error('no')
    if (!until.aborted) await new Promise((resolve) => until.addEventListener('abort', resolve))
  })
  expect((await subscription.next()).value).toBe(1)
  if (how === 'is left by its reader') await subscription.return()
  const next = subscription.next().catch((error: Error) => error.message)
  stopped.abort()
  expect(await next).toEqual(how === 'fails' ? 'no' : { done: true, value: undefined })
  expect(await registered()).toEqual({ signals: 0, timers: 0 })
})
