import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { FEED_PROTOCOL } from '../../src/protocol/log/feed.js'
import type { AppRouter } from '../../src/server/router.js'
import { describeOnce } from '../describe-once.js'
import { proofOf } from '../oauth/requests.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'

// biome-ignore lint/suspicious/noExplicitAny: messages of many shapes, each asserted where it is used
type Message = any
interface Socket {
  readonly ws: WebSocket
  readonly messages: Message[]
  /** The next message of this type after the last one that was taken. */
  next(type: string): Promise<Message>
  send(message: object): void
  readonly closed: Promise<{ code: number; reason: string }>
}

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
})
beforeEach(async () => {
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

const headersFor = async (actor: AgentActor, path = '/revocations') => {
  const { accessToken } = await actor.token()
  return { authorization: `DPoP ${accessToken}`, dpop: await proofOf(registry, actor.signer, { htm: 'GET', path, accessToken }) }
}
const url = (path = '/revocations') => `${registry.issuer.replace('http', 'ws')}${path}`

async function open(options: { headers?: Record<string, string>; protocols?: string[]; port?: number } = {}): Promise<Socket> {
  const address = options.port === undefined ? url() : `ws://127.0.0.1:${options.port}/revocations`
  const ws = new WebSocket(address, options.protocols ?? [FEED_PROTOCOL], { headers: options.headers ?? (await headersFor(agent)) })
  const messages: Message[] = []
  const waiting: { type: string; done: (message: Message) => void }[] = []
  let read = 0
  const deliver = () => {
    const [first] = waiting
    const index = first ? messages.findIndex((message, i) => i >= read && message.type === first.type) : -1
    if (!first || index < 0) return
    read = index + 1
    waiting.shift()
    first.done(messages[index])
    deliver()
  }
  ws.on('message', (data) => {
    messages.push(JSON.parse(String(data)))
    deliver()
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    ws.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
  )
  await new Promise<void>((resolve, reject) => ws.on('open', () => resolve()).on('error', reject))
  return {
    ws,
    messages,
    closed,
    send: (message) => ws.send(JSON.stringify(message)),
    next: (type) =>
      new Promise((done) => {
        waiting.push({ type, done })
        deliver()
      }),
  }
}

/** Ends a new task: one entry that ends one handle. */
const endTask = async () => {
  const { taskId } = await agent.tasks.create({ description: 'x' })
  await agent.tasks.end(taskId)
}
const endedHandles = (socket: Socket) =>
  socket.messages.flatMap(({ type, ended }) => (['events', 'ended', 'snapshot'].includes(type) ? ended : [])).map(({ handle }) => handle)

describe('subscriptions', () => {
  test('a subscription gets hello and the snapshot, and then every revocation in batches without a gap', async () => {
    const socket = await open()
    expect(await socket.next('hello')).toMatchObject({ version: 1, registry: registry.issuer })
    await endTask()
    socket.send({ type: 'subscribe' })
    const snapshot = await socket.next('snapshot')
    const before = snapshot.ended.length
    expect(before).toBeGreaterThan(0)
    for (let i = 0; i < 5; i++) await endTask()
    socket.send({ type: 'sync', n: 1 })
    await socket.next('synced')
    expect(endedHandles(socket)).toHaveLength(before + 5)
    let lastSeq = Number(snapshot.asOf.position.split('.').at(-1))
    for (const { prev, last } of socket.messages.filter(({ type }) => type === 'events')) {
      expect(prev).toBe(lastSeq)
      lastSeq = last
    }
    socket.ws.close()
  })

  test('a subscription that resumes from a position, on either server, gets the missed revocations without a gap', async () => {
    const first = await open()
    first.send({ type: 'subscribe' })
    const { asOf } = await first.next('snapshot')
    first.ws.close()
    for (let i = 0; i < 3; i++) await endTask()
    for (let i = 0; i < 2; i++) {
      const again = await open()
      again.send({ type: 'subscribe', from: asOf })
      again.send({ type: 'sync', n: 7 })
      expect((await again.next('synced')).n).toBe(7)
      expect(again.messages.find(({ type }) => type === 'events').prev).toBe(Number(asOf.position.split('.').at(-1)))
      expect(endedHandles(again)).toHaveLength(3)
      again.ws.close()
    }
  })

  test.each([
    ['another epoch', ({ hash }: Message) => ({ position: 'epo:AAAAAAAAAAAAAAAAAAAAAA.1', hash }), 'unknown_epoch'],
    ['another history', ({ position }: Message) => ({ position, hash: 'A'.repeat(43) }), 'other_history'],
    [
      'a position beyond the head',
      ({ position, hash }: Message) => ({ position: position.replace(/\d+$/, '999999'), hash }),
      'other_history',
    ],
  ])('a subscription from %s gets a reset, and a second one without a position gets the snapshot', async (_, from, reason) => {
    const socket = await open()
    const { head } = await socket.next('hello')
    socket.send({ type: 'subscribe', from: from(head) })
    expect(await socket.next('reset')).toMatchObject({ reason })
    socket.send({ type: 'subscribe' })
    expect(await socket.next('snapshot')).toMatchObject({ part: 0 })
    socket.ws.close()
  })

  test('a sync message that arrives before the subscription is answered after it', async () => {
    const socket = await open()
    socket.send({ type: 'sync', n: 7 })
    socket.send({ type: 'subscribe' })
    expect(await socket.next('synced')).toMatchObject({ n: 7 })
    expect(socket.messages.map(({ type }) => type)).toEqual(['hello', 'snapshot', 'synced'])
    socket.ws.close()
  })

  test('a subscription gets `synced` after every revocation that was acknowledged before its sync message', async () => {
    const socket = await open()
    socket.send({ type: 'subscribe' })
    const before = (await socket.next('snapshot')).ended.length
    for (let n = 0; n < 20; n++) {
      await endTask()
      socket.send({ type: 'sync', n })
      await socket.next('synced')
      expect(endedHandles(socket)).toHaveLength(before + n + 1)
    }
    socket.ws.close()
  })

  describeOnce('stopped readers', () => {
    // A registry of its own, because the handles of the flood stay in the ended set
    let shared: Registry
    beforeEach(async () => {
      shared = registry
      registry = await startRegistry()
      agent = await registry.agent()
    })
    afterEach(async () => {
      await registry[Symbol.asyncDispose]()
      registry = shared
    })
    const COUNT = 175_000
    /** About 7 MB of endings: more than the buffers of the sockets hold. */
    const flood = async () => {
      for (let i = 0; i < COUNT / 2500; i++) {
        const ends = Array.from({ length: 2500 }, () => ({ handle: newHandle(systemRandom, 'tok') }))
        await registry.servers[i % 2]?.trustLog.end({ type: 'token.revoked', ends, operations: [] })
      }
    }
    const openDirectly = () => open({ port: registry.servers[0]?.port ?? 0 })
    test('a subscription whose reader stops is paused, does not delay others, is served from its position when it reads again, and is closed after 30 s', async () => {
      const [slow, stopped, quick] = [await openDirectly(), await openDirectly(), await openDirectly()]
      for (const socket of [slow, stopped, quick]) {
        socket.send({ type: 'subscribe' })
        await socket.next('snapshot')
      }
      slow.ws.pause()
      stopped.ws.pause()
      await flood()
      quick.send({ type: 'sync', n: 1 })
      await quick.next('synced')
      expect(new Set(endedHandles(quick)).size).toBe(COUNT)
      slow.ws.resume()
      slow.send({ type: 'sync', n: 1 })
      await slow.next('synced')
      expect(new Set(endedHandles(slow)).size).toBe(COUNT)
      registry.clock.advance(31)
      stopped.ws.resume()
      expect((await stopped.closed).code).toBe(4408)
      for (const { ws } of [slow, quick]) ws.close()
    })
  })
})

describeOnce('upgrades', () => {
  const upgrade = (path: string, options: WebSocket.ClientOptions, protocols: string[] = [FEED_PROTOCOL]) =>
    new Promise<number>((resolve) => {
      const ws = new WebSocket(url(path), protocols, options)
      ws.on('unexpected-response', (_request, response) => {
        resolve(response.statusCode ?? 0)
        response.destroy()
      })
      ws.on('open', () => resolve(101))
      ws.on('error', () => resolve(0))
    })

  test('an upgrade is refused for a missing or bad token, a reused proof, a token in the URL, a foreign origin, another path, another subprotocol or a missing scope', async () => {
    const good = await headersFor(agent)
    expect(await upgrade('/revocations', {})).toBe(401)
    expect(await upgrade('/revocations', { headers: { ...good, authorization: 'DPoP a.b.c' } })).toBe(401)
    expect(await upgrade('/revocations', { headers: good })).toBe(101)
    expect(await upgrade('/revocations', { headers: good })).toBe(401)
    expect(await upgrade('/revocations?access_token=x', { headers: await headersFor(agent) })).toBe(400)
    expect(await upgrade('/revocations', { headers: await headersFor(agent), origin: 'https://evil.example' })).toBe(403)
    expect(await upgrade('/elsewhere', { headers: good })).toBe(404)
    expect(await upgrade('/revocations', { headers: await headersFor(agent) }, ['other'])).toBe(400)
    const reader = registry.as(agent)
    const { accessToken } = await reader.token(['discovery:read'])
    const dpop = await proofOf(registry, agent.signer, { htm: 'GET', path: '/revocations', accessToken })
    expect(await upgrade('/revocations', { headers: { authorization: `DPoP ${accessToken}`, dpop } })).toBe(403)
  })

  test('an upgrade with a ticket succeeds once, within 30 s, unless the token of the ticket was revoked', async () => {
    const { ticket } = await agent.mutate<{ ticket: string }>('system.ticket')
    const protocols = [FEED_PROTOCOL, `ticket.${ticket}`]
    const tries = await Promise.all(Array.from({ length: 10 }, () => upgrade('/revocations', {}, protocols)))
    expect(tries.filter((status) => status === 101)).toHaveLength(1)
    const late = await agent.mutate<{ ticket: string }>('system.ticket')
    registry.clock.advance(31)
    expect(await upgrade('/revocations', {}, [FEED_PROTOCOL, `ticket.${late.ticket}`])).toBe(401)
    const revoked = await agent.mutate<{ ticket: string }>('system.ticket')
    await registry.operator.mutate('agents.suspend', { agentId: agent.agentId })
    expect(await upgrade('/revocations', {}, [FEED_PROTOCOL, `ticket.${revoked.ticket}`])).toBe(401)
  })

  test('a malformed upgrade request does not stop the server', async () => {
    for (const options of [
      { headers: { 'sec-websocket-version': '99' } },
      { headers: { 'sec-websocket-extensions': 'constructor' } },
      { headers: { 'sec-websocket-protocol': 'a,'.repeat(2000) } },
    ])
      expect(await upgrade('/revocations', options)).not.toBe(101)
    expect(await reasonOf(agent.query('tasks.list'))).toBe('done')
  })
})

describeOnce('open sockets', () => {
  test('a socket is closed at once when its agent is suspended, and when its token expires', async () => {
    const [first, second] = [await open(), await open()]
    for (const socket of [first, second]) {
      socket.send({ type: 'subscribe' })
      await socket.next('snapshot')
    }
    await registry.operator.mutate('agents.suspend', { agentId: agent.agentId })
    // The other server applies the suspension with its next read of the log.
    registry.clock.advance(1)
    expect((await first.closed).code).toBe(4401)
    expect((await second.closed).code).toBe(4401)
    const other = await registry.agent()
    agent = other
    const third = await open({ headers: await headersFor(other) })
    await third.next('hello')
    registry.clock.advance(901)
    expect((await third.closed).code).toBe(4401)
  })

  test('a socket stays open with a new token that is sent in-band, and is closed by a token of another client', async () => {
    const socket = await open()
    const { expiresAt } = await socket.next('hello')
    registry.clock.advance(600)
    const fresh = await registry.as(agent).token()
    const proof = await proofOf(registry, agent.signer, { htm: 'GET', path: '/revocations', accessToken: fresh.accessToken })
    socket.send({ type: 'authenticate', token: fresh.accessToken, proof })
    expect((await socket.next('hello')).expiresAt).toBeGreaterThan(expiresAt)
    registry.clock.advance(400)
    socket.send({ type: 'subscribe' })
    await socket.next('snapshot')
    const other = await registry.agent()
    const foreign = await other.token()
    socket.send({
      type: 'authenticate',
      token: foreign.accessToken,
      proof: await proofOf(registry, other.signer, { htm: 'GET', path: '/revocations', accessToken: foreign.accessToken }),
    })
    expect((await socket.closed).code).toBe(4401)
  })

  test.each<[string, (ws: WebSocket) => void, number]>([
    ['binary', (ws) => ws.send(Buffer.from('{}')), 1003],
    ['not JSON', (ws) => ws.send('{'), 1008],
    ['of an unknown type', (ws) => ws.send('{"type":"nonsense"}'), 1008],
    ['a tRPC frame whose id is null', (ws) => ws.send('{"id":null}'), 1008],
    ['70 KB long', (ws) => ws.send('x'.repeat(70_000)), 1009],
  ])('a socket is closed by a frame that is %s, and the server continues', async (_, send, code) => {
    const socket = await open()
    await socket.next('hello')
    send(socket.ws)
    expect((await socket.closed).code).toBe(code)
    expect(await reasonOf(agent.query('tasks.list'))).toBe('done')
  })

  test('a flood of sync messages closes the socket', async () => {
    const socket = await open()
    socket.send({ type: 'subscribe' })
    await socket.next('snapshot')
    for (let n = 0; n < 1000; n++) socket.send({ type: 'sync', n })
    expect((await socket.closed).code).toBe(1008)
  })

  test('a second subscription on a socket is refused', async () => {
    const socket = await open()
    socket.send({ type: 'subscribe' })
    socket.send({ type: 'subscribe' })
    expect(await socket.next('error')).toMatchObject({ reason: 'bad_input' })
    socket.ws.close()
  })
})

describe('tRPC subscriptions', () => {
  test('a tRPC subscription loses no event when its connections are lost', async () => {
    const sockets: WebSocket[] = []
    class Authenticated extends WebSocket {
      constructor(address: string) {
        super(address, ['trpc', `ticket.${tickets.shift()}`])
        sockets.push(this)
      }
    }
    const tickets: string[] = []
    const refill = async () => tickets.push((await agent.mutate<{ ticket: string }>('system.ticket')).ticket)
    for (let i = 0; i < 12; i++) await refill()
    const client = createWSClient({ url: url('/trpc'), WebSocket: Authenticated as never, retryDelayMs: () => 20 })
    const trpc = createTRPCClient<AppRouter>({ links: [wsLink({ client })] })
    const received: string[] = []
    const before = registry.servers[0]?.trustLog.snapshot().ended.length ?? 0
    const subscription = trpc.revocations.watch.subscribe(
      {},
      {
        onData: ({ data }) => {
          received.push(...data.ended.map(({ handle }) => handle))
        },
      },
    )
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 3; i++) await endTask()
      if (round % 2 === 1) registry.front.cutSockets()
      registry.clock.advance(1)
    }
    const countReceived = () => {
      registry.clock.advance(1)
      return new Set(received).size
    }
    await expect.poll(countReceived).toBe(before + 18)
    expect(sockets.length).toBeGreaterThan(2)
    subscription.unsubscribe()
    await client.close()
  })
})
