import { createTRPCClient, createWSClient, wsLink } from '@trpc/client'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { FEED_PROTOCOL } from '../../src/protocol/log/feed.js'
import type { AppRouter } from '../../src/server/router.js'
import { proofOf } from '../oauth.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from '../stories/actors.js'

// biome-ignore lint/suspicious/noExplicitAny: messages of many shapes, each asserted where it is used
type Message = any
interface Socket {
  readonly ws: WebSocket
  readonly messages: Message[]
  next(type: string): Promise<Message>
  say(message: object): void
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
  const look = () => {
    const [first] = waiting
    const found = first ? messages.findIndex((message, i) => i >= read && message.type === first.type) : -1
    if (!first || found < 0) return
    read = found + 1
    waiting.shift()
    first.done(messages[found])
    look()
  }
  ws.on('message', (data) => {
    messages.push(JSON.parse(String(data)))
    look()
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    ws.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
  )
  await new Promise<void>((resolve, reject) => ws.on('open', () => resolve()).on('error', reject))
  return {
    ws,
    messages,
    closed,
    say: (message) => ws.send(JSON.stringify(message)),
    next: (type) =>
      new Promise((done) => {
        waiting.push({ type, done })
        look()
      }),
  }
}

/** Ends a fresh task: one entry that ends one handle. */
const endSomething = async () => {
  const { taskId } = await agent.tasks.create({ description: 'x' })
  await agent.tasks.end(taskId)
}
const endedIn = (socket: Socket) =>
  socket.messages.flatMap(({ type, ended }) => (['events', 'ended', 'snapshot'].includes(type) ? ended : [])).map(({ handle }) => handle)

describe('the feed', () => {
  test('hello, snapshot, then every ending in order, each stretch after the one before', async () => {
    const socket = await open()
    expect(await socket.next('hello')).toMatchObject({ version: 1, registry: registry.issuer })
    await endSomething()
    socket.say({ type: 'subscribe' })
    const snapshot = await socket.next('snapshot')
    const before = snapshot.ended.length
    expect(before).toBeGreaterThan(0)
    for (let i = 0; i < 5; i++) await endSomething()
    socket.say({ type: 'sync', n: 1 })
    await socket.next('synced')
    expect(endedIn(socket)).toHaveLength(before + 5)
    let at = Number(snapshot.place.position.split('.').at(-1))
    for (const { prev, last } of socket.messages.filter(({ type }) => type === 'events')) {
      expect(prev).toBe(at)
      at = last
    }
    socket.ws.close()
  })

  test('resumes from a place at the other server, without a gap; what was missed comes first', async () => {
    const first = await open()
    first.say({ type: 'subscribe' })
    const { place } = await first.next('snapshot')
    first.ws.close()
    for (let i = 0; i < 3; i++) await endSomething()
    for (let i = 0; i < 2; i++) {
      const again = await open()
      again.say({ type: 'subscribe', from: place })
      again.say({ type: 'sync', n: 7 })
      expect((await again.next('synced')).n).toBe(7)
      expect(again.messages.find(({ type }) => type === 'events').prev).toBe(Number(place.position.split('.').at(-1)))
      expect(endedIn(again)).toHaveLength(3)
      again.ws.close()
    }
  })

  test.each([
    ['another epoch', ({ hash }: Message) => ({ position: 'epo:AAAAAAAAAAAAAAAAAAAAAA.1', hash }), 'unknown_epoch'],
    ['another history', ({ position }: Message) => ({ position, hash: 'A'.repeat(43) }), 'other_history'],
    ['a place beyond the head', ({ position, hash }: Message) => ({ position: position.replace(/\d+$/, '999999'), hash }), 'other_history'],
  ])('%s is answered reset; a snapshot follows on asking', async (_, from, reason) => {
    const socket = await open()
    const { head } = await socket.next('hello')
    socket.say({ type: 'subscribe', from: from(head) })
    expect(await socket.next('reset')).toMatchObject({ reason })
    socket.say({ type: 'subscribe' })
    expect(await socket.next('snapshot')).toMatchObject({ part: 0 })
    socket.ws.close()
  })

  test('a challenge that comes before the subscription is answered after it', async () => {
    const socket = await open()
    socket.say({ type: 'sync', n: 7 })
    socket.say({ type: 'subscribe' })
    expect(await socket.next('synced')).toMatchObject({ n: 7 })
    expect(socket.messages.map(({ type }) => type)).toEqual(['hello', 'snapshot', 'synced'])
    socket.ws.close()
  })

  test('synced says that everything acknowledged before the challenge was sent has come', async () => {
    const socket = await open()
    socket.say({ type: 'subscribe' })
    const before = (await socket.next('snapshot')).ended.length
    for (let n = 0; n < 20; n++) {
      await endSomething()
      socket.say({ type: 'sync', n })
      await socket.next('synced')
      expect(endedIn(socket)).toHaveLength(before + n + 1)
    }
    socket.ws.close()
  })

  describe('a reader that stops reading', () => {
    // What it ends stays ended: a registry of their own
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
        await registry.servers[i % 2]?.trustLog.end({ type: 'token.ended', ends, intent: [] })
      }
    }
    const straight = () => open({ port: registry.servers[0]?.port ?? 0 })
    test('is parked, others are unharmed, and it is served from its place when it reads again', async () => {
      const [slow, quick] = [await straight(), await straight()]
      for (const socket of [slow, quick]) {
        socket.say({ type: 'subscribe' })
        await socket.next('snapshot')
      }
      slow.ws.pause()
      await flood()
      quick.say({ type: 'sync', n: 1 })
      await quick.next('synced')
      expect(new Set(endedIn(quick)).size).toBe(COUNT)
      slow.ws.resume()
      slow.say({ type: 'sync', n: 1 })
      await slow.next('synced')
      expect(new Set(endedIn(slow)).size).toBe(COUNT)
      for (const { ws } of [slow, quick]) ws.close()
    })
    test('is told to go after 30 s', async () => {
      const slow = await straight()
      slow.say({ type: 'subscribe' })
      await slow.next('snapshot')
      slow.ws.pause()
      await flood()
      registry.clock.advance(31)
      slow.ws.resume()
      expect((await slow.closed).code).toBe(4408)
    })
  })
})

describe('before the upgrade', () => {
  const refused = (path: string, options: WebSocket.ClientOptions, protocols: string[] = [FEED_PROTOCOL]) =>
    new Promise<number>((resolve) => {
      const ws = new WebSocket(url(path), protocols, options)
      ws.on('unexpected-response', (_request, answer) => {
        resolve(answer.statusCode ?? 0)
        answer.destroy()
      })
      ws.on('open', () => resolve(101))
      ws.on('error', () => resolve(0))
    })

  test('no token, a bad one, a used proof, a token in the URL, an origin that is not on the list, another path, no subprotocol', async () => {
    const good = await headersFor(agent)
    expect(await refused('/revocations', {})).toBe(401)
    expect(await refused('/revocations', { headers: { ...good, authorization: 'DPoP a.b.c' } })).toBe(401)
    expect(await refused('/revocations', { headers: good })).toBe(101)
    expect(await refused('/revocations', { headers: good })).toBe(401)
    expect(await refused('/revocations?access_token=x', { headers: await headersFor(agent) })).toBe(400)
    expect(await refused('/revocations', { headers: await headersFor(agent), origin: 'https://evil.example' })).toBe(403)
    expect(await refused('/elsewhere', { headers: good })).toBe(404)
    expect(await refused('/revocations', { headers: await headersFor(agent) }, ['other'])).toBe(400)
    const reader = registry.as(agent)
    const { accessToken } = await reader.token(['discovery:read'])
    const dpop = await proofOf(registry, agent.signer, { htm: 'GET', path: '/revocations', accessToken })
    expect(await refused('/revocations', { headers: { authorization: `DPoP ${accessToken}`, dpop } })).toBe(403)
  })

  test('a ticket is good once, for 30 s, and not when what it stands on has ended', async () => {
    const { ticket } = await agent.mutate<{ ticket: string }>('system.ticket')
    const protocols = [FEED_PROTOCOL, `ticket.${ticket}`]
    const tries = await Promise.all(Array.from({ length: 10 }, () => refused('/revocations', {}, protocols)))
    expect(tries.filter((status) => status === 101)).toHaveLength(1)
    const late = await agent.mutate<{ ticket: string }>('system.ticket')
    registry.clock.advance(31)
    expect(await refused('/revocations', {}, [FEED_PROTOCOL, `ticket.${late.ticket}`])).toBe(401)
    const dead = await agent.mutate<{ ticket: string }>('system.ticket')
    await registry.operator.mutate('agents.suspend', { agentId: agent.agentId })
    expect(await refused('/revocations', {}, [FEED_PROTOCOL, `ticket.${dead.ticket}`])).toBe(401)
  })

  test('malformed upgrades do not harm the process', async () => {
    for (const options of [
      { headers: { 'sec-websocket-version': '99' } },
      { headers: { 'sec-websocket-extensions': 'constructor' } },
      { headers: { 'sec-websocket-protocol': 'a,'.repeat(2000) } },
    ])
      expect(await refused('/revocations', options)).not.toBe(101)
    expect(await reasonOf(agent.query('tasks.list'))).toBe('done')
  })
})

describe('while connected', () => {
  test('the socket of whoever is ended is closed at once; so is one whose token expires', async () => {
    const [one, two] = [await open(), await open()]
    for (const socket of [one, two]) {
      socket.say({ type: 'subscribe' })
      await socket.next('snapshot')
    }
    await registry.operator.mutate('agents.suspend', { agentId: agent.agentId })
    // The other server learns of it with its next reading.
    registry.clock.advance(1)
    expect((await one.closed).code).toBe(4401)
    expect((await two.closed).code).toBe(4401)
    const other = await registry.agent()
    agent = other
    const third = await open({ headers: await headersFor(other) })
    await third.next('hello')
    registry.clock.advance(901)
    expect((await third.closed).code).toBe(4401)
  })

  test('a new token in-band keeps it open; one of another client closes it', async () => {
    const socket = await open()
    const { expiresAt } = await socket.next('hello')
    registry.clock.advance(600)
    const fresh = await registry.as(agent).token()
    const proof = await proofOf(registry, agent.signer, { htm: 'GET', path: '/revocations', accessToken: fresh.accessToken })
    socket.say({ type: 'authenticate', token: fresh.accessToken, proof })
    expect((await socket.next('hello')).expiresAt).toBeGreaterThan(expiresAt)
    registry.clock.advance(400)
    socket.say({ type: 'subscribe' })
    await socket.next('snapshot')
    const other = await registry.agent()
    const foreign = await other.token()
    socket.say({
      type: 'authenticate',
      token: foreign.accessToken,
      proof: await proofOf(registry, other.signer, { htm: 'GET', path: '/revocations', accessToken: foreign.accessToken }),
    })
    expect((await socket.closed).code).toBe(4401)
  })

  test.each<[string, (ws: WebSocket) => void, number]>([
    ['a binary frame', (ws) => ws.send(Buffer.from('{}')), 1003],
    ['no JSON', (ws) => ws.send('{'), 1008],
    ['an unknown message', (ws) => ws.send('{"type":"nonsense"}'), 1008],
    ['an id that is null', (ws) => ws.send('{"id":null}'), 1008],
    ['a frame of 70 KB', (ws) => ws.send('x'.repeat(70_000)), 1009],
  ])('%s closes the socket, and nothing else', async (_, send, code) => {
    const socket = await open()
    await socket.next('hello')
    send(socket.ws)
    expect((await socket.closed).code).toBe(code)
    expect(await reasonOf(agent.query('tasks.list'))).toBe('done')
  })

  test('a flood of challenges closes the socket', async () => {
    const socket = await open()
    socket.say({ type: 'subscribe' })
    await socket.next('snapshot')
    for (let n = 0; n < 1000; n++) socket.say({ type: 'sync', n })
    expect((await socket.closed).code).toBe(1008)
  })

  test('a second subscribe is refused', async () => {
    const socket = await open()
    socket.say({ type: 'subscribe' })
    socket.say({ type: 'subscribe' })
    expect(await socket.next('error')).toMatchObject({ reason: 'bad_input' })
    socket.ws.close()
  })
})

describe('over tRPC, with the stock client', () => {
  test('a subscription survives lost connections without a lost event', async () => {
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
    const seen: string[] = []
    const before = registry.servers[0]?.trustLog.snapshot().ended.length ?? 0
    const subscription = trpc.revocations.watch.subscribe(
      {},
      {
        onData: ({ data }) => {
          seen.push(...data.ended.map(({ handle }) => handle))
        },
      },
    )
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 3; i++) await endSomething()
      if (round % 2 === 1) registry.front.cutSockets()
      registry.clock.advance(1)
    }
    const told = () => {
      registry.clock.advance(1)
      return new Set(seen).size
    }
    await expect.poll(told, { timeout: 15_000 }).toBe(before + 18)
    expect(sockets.length).toBeGreaterThan(2)
    subscription.unsubscribe()
    await client.close()
  })
})
