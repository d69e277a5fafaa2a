// The state machine of one subscriber, without a socket: the hub and the log are real, the server's end of the WebSocket is a test double.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { refuse } from '../../src/errors.js'
import type { Caller } from '../../src/http/caller.js'
import { systemRandom } from '../../src/lib/random.js'
import type { Handle } from '../../src/protocol/handles.js'
import { AgentId, newId, OrgId, TokenId } from '../../src/protocol/ids.js'
import { MAX_FRAME_BYTES, ServerMessage } from '../../src/protocol/log/feed.js'
import { Scope } from '../../src/protocol/rights.js'
import { BackpressureSocket, MAX_BUFFERED_BYTES, type WritableSocket } from '../../src/revocations/backpressure-socket.js'
import { type FeedDeps, FeedSubscriber } from '../../src/revocations/feed-subscriber.js'
import { type Hub, newHub } from '../../src/revocations/hub.js'
import type { ServedTrustLog } from '../../src/trust-log/trust-log.js'
import { aBarrier, aHandle, end, type Logs, openLogs } from '../trust-log/open-logs.js'

/** The server's end of a WebSocket: frames stay in its buffer while the reader has stopped. */
class SocketDouble implements WritableSocket {
  readonly OPEN = 1
  readyState = 1
  bufferedAmount = 0
  readonly messages: ServerMessage[] = []
  closedWith: number | undefined
  #isReading = true
  #onSent: (() => void)[] = []

  send(frame: Uint8Array, _options: object, onSent?: () => void): void {
    const text = new TextDecoder().decode(frame)
    this.messages.push(ServerMessage.parse(JSON.parse(text)))
    this.bufferedAmount += text.length
    if (onSent) this.#onSent.push(onSent)
    queueMicrotask(() => {
      if (this.#isReading) this.read()
    })
  }
  close(code: number): void {
    this.closedWith ??= code
    this.readyState = 2
  }
  stopReading(): void {
    this.#isReading = false
  }
  /** Reads on until the buffer is empty. */
  read(): void {
    this.#isReading = true
    this.bufferedAmount = 0
    for (const onSent of this.#onSent.splice(0)) onSent()
  }
  get types(): string[] {
    return this.messages.map(({ type }) => type)
  }
  get endedHandles(): Handle[] {
    return this.messages.flatMap((message) => ('ended' in message ? message.ended.map(({ handle }) => handle) : []))
  }
}

/** A promise that the test resolves. */
function newPromise() {
  let resolve = () => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}

const agentId = AgentId.parse(newId(systemRandom, 'agt'))
const aCaller = (parts: Partial<Caller> = {}): Caller => ({
  kind: 'agent',
  id: agentId,
  orgId: OrgId.parse(newId(systemRandom, 'org')),
  role: 'agent',
  scopes: [Scope.parse('revocations:read')],
  tokenId: TokenId.parse(newId(systemRandom, 'tok')),
  dependencies: { handles: [], expiresAt: 2_000_000_000 },
  identities: [],
  barrier: aBarrier,
  ...parts,
})

let logs: Logs
let trustLog: ServedTrustLog
let hub: Hub
let bugs: unknown[]
beforeEach(async () => {
  logs = await openLogs()
  trustLog = await logs.open()
  hub = newHub({ trustLog })
  bugs = []
})
afterEach(async () => {
  hub.close()
  await logs[Symbol.asyncDispose]()
})

function connect(deps: Partial<FeedDeps> = {}) {
  const socket = new SocketDouble()
  const revocation = new Map<Caller, AbortController>()
  const signals = (caller: Caller) => {
    const controller = revocation.get(caller) ?? new AbortController()
    revocation.set(caller, controller)
    return controller
  }
  const port = new BackpressureSocket(socket, logs.clock, () => void subscriber.resume())
  const caller = aCaller()
  const subscriber = new FeedSubscriber(
    {
      hub,
      issuer: 'https://registry.test',
      revocationSignal: (watched) => signals(watched).signal,
      authenticateToken: async () => refuse('invalid_token', 'no token is expected'),
      onBug: (error) => bugs.push(error),
      ...deps,
    },
    port,
    caller,
  )
  subscriber.start()
  return {
    socket,
    subscriber,
    caller,
    revoke: (revoked: Caller) => signals(revoked).abort(),
    receive: (message: object) => subscriber.receive(new TextEncoder().encode(JSON.stringify(message)), false),
  }
}

describe('subscriptions', () => {
  test('a subscription begins with a hello that names the registry, its head and the expiry of the token', () => {
    const { socket } = connect()
    expect(socket.messages).toEqual([
      { type: 'hello', version: 1, registry: 'https://registry.test', head: hub.head, expiresAt: 2_000_000_000 },
    ])
  })

  test('a subscription without a position gets the snapshot, then each revocation in order', async () => {
    const before = aHandle()
    await end(trustLog, before)
    const { socket, receive } = connect()
    await receive({ type: 'subscribe' })
    const later = [aHandle(), aHandle(), aHandle()]
    for (const handle of later) await end(trustLog, handle)
    await expect.poll(() => socket.endedHandles).toEqual([before, ...later])
    expect(socket.types.slice(0, 2)).toEqual(['hello', 'snapshot'])
    let lastSeq = hub.headSeq - later.length
    for (const message of socket.messages) {
      if (message.type !== 'events') continue
      expect(message.prev).toBe(lastSeq)
      lastSeq = message.last
    }
    expect(lastSeq).toBe(hub.headSeq)
  })

  test('a subscription from a position gets the revocations since then, and no snapshot', async () => {
    const { head } = hub
    const handles = [aHandle(), aHandle()]
    for (const handle of handles) await end(trustLog, handle)
    const { socket, receive } = connect()
    await receive({ type: 'subscribe', from: head })
    await expect.poll(() => socket.endedHandles).toEqual(handles)
    expect(socket.types).not.toContain('snapshot')
  })

  test('a subscription from a position that only another instance has applied is resumed after a read barrier', async () => {
    const ahead = await logs.open()
    await end(ahead, aHandle())
    const aheadHub = newHub({ trustLog: ahead })
    const { socket, receive } = connect()
    await receive({ type: 'subscribe', from: aheadHub.head })
    aheadHub.close()
    const handle = aHandle()
    await end(trustLog, handle)
    await expect.poll(() => socket.endedHandles).toEqual([handle])
    expect(socket.types).not.toContain('reset')
  })

  test.each([
    ['the hash of another history', () => ({ ...hub.head, hash: 'A'.repeat(43) }), 'other_history'],
    ['the position of another epoch', () => ({ ...hub.head, position: 'epo:AAAAAAAAAAAAAAAAAAAAAA.1' }), 'unknown_epoch'],
    ['a position beyond the head', () => ({ ...hub.head, position: hub.head.position.replace(/\d+$/, '999999') }), 'other_history'],
  ])('a subscription from %s gets a reset, and a second one without a position gets the snapshot', async (_, from, reason) => {
    await end(trustLog, aHandle())
    const { socket, receive } = connect()
    await receive({ type: 'subscribe', from: from() })
    expect(socket.messages.at(-1)).toEqual({ type: 'reset', reason })
    await receive({ type: 'subscribe' })
    expect(socket.types).toEqual(['hello', 'reset', 'snapshot'])
  })

  test('a second subscription is refused, even while the snapshot of the first is being sent', async () => {
    const { socket, receive } = connect()
    await receive({ type: 'subscribe' })
    await receive({ type: 'subscribe', from: hub.head })
    expect(socket.messages.at(-1)).toMatchObject({ type: 'error', reason: 'bad_input' })
    expect(socket.closedWith).toBeUndefined()
  })

  test('nothing is sent after the socket has closed', async () => {
    const { socket, subscriber, receive } = connect()
    await receive({ type: 'subscribe' })
    const sent = socket.messages.length
    subscriber.stop()
    await end(trustLog, aHandle())
    await hub.readBarrier()
    expect(socket.messages).toHaveLength(sent)
  })
})

describe('stopped readers', () => {
  /** About 650 KB of endings, in one entry. */
  const COUNT = 10_000
  const flood = async () => {
    const handles = Array.from({ length: COUNT }, () => aHandle())
    await end(trustLog, ...handles)
    return handles
  }

  test('a reader that has stopped has at most one frame beyond 256 KiB in its buffer, and gets the rest of its snapshot when it reads on', async () => {
    const handles = await flood()
    const { socket, receive } = connect()
    socket.stopReading()
    await receive({ type: 'subscribe' })
    expect(socket.bufferedAmount).toBeGreaterThan(MAX_BUFFERED_BYTES)
    expect(socket.bufferedAmount).toBeLessThan(MAX_BUFFERED_BYTES + MAX_FRAME_BYTES)
    const revokedMeanwhile = aHandle()
    await end(trustLog, revokedMeanwhile)
    await receive({ type: 'sync', n: 1 })
    expect(socket.types).not.toContain('synced')
    socket.read()
    await expect.poll(() => socket.types.at(-1)).toBe('synced')
    expect(socket.endedHandles).toEqual([...handles, revokedMeanwhile])
    expect(socket.types.lastIndexOf('snapshot')).toBeLessThan(socket.types.indexOf('events'))
  })

  test('a paused reader is sent no batch, and all of them when it reads on', async () => {
    const { socket, receive } = connect()
    await receive({ type: 'subscribe' })
    socket.stopReading()
    const handles = await flood()
    await expect.poll(() => socket.bufferedAmount).toBeGreaterThan(MAX_BUFFERED_BYTES)
    const sent = socket.messages.length
    handles.push(...(await flood()), ...(await flood()))
    expect(socket.messages).toHaveLength(sent)
    socket.read()
    await expect.poll(() => socket.endedHandles.length).toBe(handles.length)
    expect(new Set(socket.endedHandles)).toEqual(new Set(handles))
  })

  test('the socket of a reader is closed with 4408 once the reader has been paused for 30 s', async () => {
    await flood()
    const { socket, receive } = connect()
    socket.stopReading()
    await receive({ type: 'subscribe' })
    logs.clock.advance(29)
    await hub.readBarrier()
    expect(socket.closedWith).toBeUndefined()
    logs.clock.advance(1)
    await expect.poll(() => socket.closedWith).toBe(4408)
  })

  test('the socket of a reader that reads on within 30 s stays open', async () => {
    await flood()
    const { socket, receive } = connect()
    socket.stopReading()
    await receive({ type: 'subscribe' })
    logs.clock.advance(29)
    socket.read()
    logs.clock.advance(29)
    await hub.readBarrier()
    expect(socket.closedWith).toBeUndefined()
  })
})

describe('sync messages', () => {
  test('a sync message is answered with the new head, after the revocations that its read barrier found', async () => {
    const other = await logs.open()
    const { socket, receive } = connect()
    await receive({ type: 'subscribe' })
    for (let n = 1; n <= 3; n++) {
      const handle = aHandle()
      await end(other, handle)
      await receive({ type: 'sync', n })
      await expect.poll(() => socket.messages.at(-1)).toEqual({ type: 'synced', n, head: hub.head })
      expect(socket.endedHandles).toContain(handle)
    }
  })

  test('a sync message is not answered before its read barrier is done', async () => {
    const barrier = newPromise()
    const waiting: Hub = Object.create(hub, { readBarrier: { value: () => barrier.promise } })
    const { socket, receive } = connect({ hub: waiting })
    await receive({ type: 'subscribe' })
    const received = receive({ type: 'sync', n: 1 })
    const handle = aHandle()
    await end(trustLog, handle)
    await expect.poll(() => socket.endedHandles).toEqual([handle])
    expect(socket.types).not.toContain('synced')
    barrier.resolve()
    await received
    await expect.poll(() => socket.types.at(-1)).toBe('synced')
  })

  test('a sync message that arrives before the subscription is answered after it', async () => {
    const { socket, receive } = connect()
    await receive({ type: 'sync', n: 7 })
    expect(socket.types).toEqual(['hello'])
    await receive({ type: 'subscribe' })
    await expect.poll(() => socket.types).toEqual(['hello', 'snapshot', 'synced'])
  })

  test('the 17th unanswered sync message closes the socket with 1008', async () => {
    const { socket, receive } = connect()
    for (let n = 0; n < 16; n++) await receive({ type: 'sync', n })
    expect(socket.closedWith).toBeUndefined()
    await receive({ type: 'sync', n: 16 })
    expect(socket.closedWith).toBe(1008)
  })

  test('a sync message whose read barrier fails gets an error, and does not count as unanswered', async () => {
    let isAway = false
    const flaky: Hub = Object.create(hub, {
      readBarrier: { value: async () => (isAway ? refuse('standing_unknown', 'the log cannot be read') : hub.readBarrier()) },
    })
    const { socket, receive } = connect({ hub: flaky })
    await receive({ type: 'subscribe' })
    isAway = true
    for (let n = 0; n < 20; n++) await receive({ type: 'sync', n })
    expect(socket.messages.filter(({ type }) => type === 'error')).toHaveLength(20)
    isAway = false
    await receive({ type: 'sync', n: 20 })
    await expect.poll(() => socket.messages.at(-1)).toMatchObject({ type: 'synced', n: 20 })
  })
})

describe('caller tokens', () => {
  test('the revocation of the caller’s token closes the socket with 4401', () => {
    const { socket, caller, revoke } = connect()
    revoke(caller)
    expect(socket.closedWith).toBe(4401)
  })

  test('a token that was revoked before the socket opened closes it with 4401 at once', () => {
    const { socket } = connect({ revocationSignal: () => AbortSignal.abort() })
    expect(socket.types).toEqual(['hello'])
    expect(socket.closedWith).toBe(4401)
  })

  test('after a client has sent a new token in-band, the revocation of the first token does not close the socket', async () => {
    const renewed = aCaller({ dependencies: { handles: [], expiresAt: 2_000_000_900.5 } })
    const { socket, caller, revoke, receive } = connect({ authenticateToken: async () => renewed })
    await receive({ type: 'authenticate', token: 'a.b.c', proof: 'd.e.f' })
    expect(socket.messages.at(-1)).toMatchObject({ type: 'hello', expiresAt: 2_000_000_900 })
    revoke(caller)
    expect(socket.closedWith).toBeUndefined()
    revoke(renewed)
    expect(socket.closedWith).toBe(4401)
  })

  test('a socket that closes while its new token is checked leaves no watch of that token', async () => {
    const checked = newPromise()
    const watched: AbortSignal[] = []
    const { subscriber, receive } = connect({
      authenticateToken: async () => {
        await checked.promise
        return aCaller()
      },
      revocationSignal: (_, closed) => {
        watched.push(closed)
        return new AbortController().signal
      },
    })
    const received = receive({ type: 'authenticate', token: 'a.b.c', proof: 'd.e.f' })
    subscriber.stop()
    checked.resolve()
    await received
    expect(watched.map(({ aborted }) => aborted)).toEqual([true])
  })

  test.each([
    ['of another client', () => aCaller({ id: AgentId.parse(newId(systemRandom, 'agt')) })],
    ['without the scope revocations:read', () => aCaller({ scopes: [Scope.parse('discovery:read')] })],
    ['that is not valid', () => refuse('invalid_token', 'expired')],
  ])('a new token %s closes the socket with 4401', async (_, authenticate) => {
    const { socket, receive } = connect({ authenticateToken: async () => authenticate() })
    await receive({ type: 'authenticate', token: 'a.b.c', proof: 'd.e.f' })
    expect(socket.closedWith).toBe(4401)
  })
})

describe('frames', () => {
  test.each([
    ['that is binary', '{}', true, 1003],
    ['that is not JSON', '{', false, 1008],
    ['of an unknown type', '{"type":"nonsense"}', false, 1008],
  ])('a frame %s closes the socket', async (_, text, isBinary, code) => {
    const { socket, subscriber } = connect()
    await subscriber.receive(new TextEncoder().encode(text), isBinary)
    expect(socket.closedWith).toBe(code)
    expect(bugs).toEqual([])
  })

  test('a bug while a frame is handled is reported, and closes the socket with 1011', async () => {
    const bug = new TypeError('not planned')
    const { socket, receive } = connect({ authenticateToken: () => Promise.reject(bug) })
    await receive({ type: 'authenticate', token: 'a.b.c', proof: 'd.e.f' })
    expect(socket.closedWith).toBe(1011)
    expect(bugs).toEqual([bug])
  })

  test('a frame of type ack is not answered', async () => {
    const { socket, receive } = connect()
    await receive({ type: 'ack', position: hub.head.position })
    expect(socket.types).toEqual(['hello'])
    expect(socket.closedWith).toBeUndefined()
  })
})
