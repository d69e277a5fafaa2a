// A2A streams, blocking calls and push notifications that are open when the caller's token ends, over real sockets.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Task } from '@a2a-js/sdk'
import { type Client, ClientFactory, ClientFactoryOptions, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { AgentEvent, type AgentExecutor, DefaultRequestHandler, InMemoryPushNotificationStore, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler } from '@a2a-js/sdk/server/express'
import express from 'express'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Feed, openFeed } from '../../../src/client/feed.js'
import { systemClock } from '../../../src/lib/clock.js'
import { systemRandom } from '../../../src/lib/random.js'
import { type A2ANeeds, a2aUser, createVerifier, guard, guardA2A, needsForAll } from '../../../src/verifier/index.js'
import { awakeMs } from '../../awake-time.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock, type SetClock } from '../../set-clock.js'
import { aPair, type Pair } from '../../stories/actors.js'
import { type SwallowingProxy, swallowingProxy } from '../../swallowing-proxy.js'
import { cardAt } from './card-at.js'

const MAX_STALENESS_MS = 1000
const SLACK_MS = 400
/** An agent with a slow task reports its progress at this interval. */
const STEP_MS = 50

let registry: Registry
let pair: Pair
let proxy: SwallowingProxy
let feed: Feed
let clock: SetClock
const servers: Server[] = []
let hook: string
let pushedAt: number[] = []
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Works until the test has ended, and reports its progress. */
let isOver = false
const executor: AgentExecutor = {
  async execute({ taskId, contextId, userMessage }, bus) {
    const status = (state: number) => ({ state, timestamp: new Date().toISOString(), message: undefined })
    bus.publish(
      AgentEvent.task({ id: taskId, contextId, status: status(2), artifacts: [], history: [userMessage], metadata: undefined } as Task),
    )
    while (!isOver) {
      await pause(STEP_MS)
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(2), metadata: undefined }))
    }
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(3), metadata: undefined }))
    bus.finished()
  },
  async cancelTask() {},
}

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) => {
    servers.push(server)
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })

let pushes: InMemoryPushNotificationStore
/** An A2A server. `cut` is false for one whose guard does not cut off responses, so that guardA2A alone ends streams. */
async function serveAgent({
  needs = needsForAll({ scope: 'ocr:read' }),
  own = clock,
  cut = true,
  maxStalenessMs = MAX_STALENESS_MS,
}: {
  needs?: A2ANeeds
  own?: SetClock
  cut?: boolean
  maxStalenessMs?: number
} = {}) {
  const app = express()
  const origin = await listen(createServer(app))
  const verifier = createVerifier({
    issuer: registry.issuer,
    audience: pair.ocr.audience,
    publicUrl: origin,
    standing: feed,
    clock: own,
    maxStalenessMs,
  })
  pushes = new InMemoryPushNotificationStore()
  const handler = new DefaultRequestHandler(cardAt(`${origin}/a2a`) as never, new InMemoryTaskStore(), executor, undefined, pushes)
  const first = guard(cut ? verifier : { ...verifier, watch: () => () => {} }, { scope: 'ocr:read' })
  app.use('/a2a', first, jsonRpcHandler({ requestHandler: guardA2A(handler, { verifier, needs }), userBuilder: a2aUser }))
  return {
    clientFor: async (peer: object): Promise<Client> => {
      const fetchImpl = pair.planner.fetchAs({ audience: pair.ocr.audience, scope: 'ocr:read', ...peer })
      const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
        transports: [new JsonRpcTransportFactory({ fetchImpl })],
      })
      return new ClientFactory(options).createFromAgentCard(cardAt(`${origin}/a2a`) as never)
    },
  }
}

beforeAll(async () => {
  clock = runningClock()
  registry = await startRegistry({ clock, servers: 1 })
  pair = await aPair(registry)
  proxy = await swallowingProxy(registry.servers[0]?.port ?? 0)
  feed = await openFeed({
    url: async () => `ws://127.0.0.1:${proxy.port}/revocations`,
    ticket: async () => (await pair.ocr.mutate<{ ticket: string }>('system.ticket')).ticket,
    clock: systemClock,
    random: systemRandom,
  })
  const receiver = createServer((request, response) => {
    request.resume()
    pushedAt.push(awakeMs())
    response.end()
  })
  hook = await listen(receiver)
})
beforeEach(() => {
  isOver = false
  pushedAt = []
})
afterAll(async () => {
  isOver = true
  feed.close()
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await proxy[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const message = (more: object = {}, configuration: object = {}) =>
  ({
    message: { messageId: crypto.randomUUID(), role: 1, parts: [{ content: { $case: 'text', value: 'hi' } }], ...more },
    configuration,
  }) as never
const configFor = (taskId: string, more: object = {}) =>
  ({ taskId, id: 'c1', url: `${hook}/push`, token: '', tenant: '', authentication: undefined, ...more }) as never
const taskOfEvent = (event: unknown): string => {
  const { payload } = event as { payload?: { value?: { id?: string; taskId?: string } } }
  return payload?.value?.taskId ?? payload?.value?.id ?? ''
}
/** Reads a stream to its end. */
const reading = async (stream: AsyncIterable<unknown>, onEvent = () => {}): Promise<{ atMs: number }> => {
  try {
    for await (const _ of stream) onEvent()
  } catch {}
  return { atMs: awakeMs() }
}
const nameOfError = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error) => error.name,
  )
const aTask = async () => (await pair.planner.tasks.create({ description: 'x' })).taskId

describe.each([
  ['guard and guardA2A', true],
  ['guardA2A alone', false],
])('a stream behind %s', (_name, cut) => {
  test('of SendStreamingMessage and of SubscribeToTask ends within a second after the Credence task has ended', async () => {
    // A pause of a busy machine must not end the streams first.
    const { clientFor } = await serveAgent({ cut, maxStalenessMs: 10 * MAX_STALENESS_MS })
    const taskId = await aTask()
    const client = await clientFor({ taskId })
    const first = client.sendMessageStream(message())
    const id = taskOfEvent((await first.next()).value)
    const events = [0, 0]
    const streams = [first, client.resubscribeTask({ id, tenant: '' } as never)].map((stream, i) =>
      reading(stream, () => {
        events[i] = (events[i] ?? 0) + 1
      }),
    )
    await expect.poll(() => Math.min(...events)).toBeGreaterThan(10)
    await pair.planner.tasks.end(taskId)
    const endedAt = awakeMs()
    for (const { atMs } of await Promise.all(streams)) expect(atMs - endedAt).toBeLessThan(1000)
  })

  test('ends when its token expires', async () => {
    const own = runningClock()
    // A pause of a busy machine must not end the stream first.
    const { clientFor } = await serveAgent({ cut, own, maxStalenessMs: 10 * MAX_STALENESS_MS })
    const stream = reading((await clientFor({ taskId: await aTask() })).sendMessageStream(message()))
    await pause(300)
    expect(await Promise.race([stream, pause(100).then(() => 'open')])).toBe('open')
    own.step(301)
    const steppedAt = awakeMs()
    expect((await stream).atMs - steppedAt).toBeLessThan(SLACK_MS)
  })
})

test('a stream ends within the maximum staleness when the connection to the registry has died without a sign', async () => {
  const { clientFor } = await serveAgent({ cut: false })
  const stream = reading((await clientFor({ taskId: await aTask() })).sendMessageStream(message()))
  await pause(300)
  proxy.swallow()
  const swallowedAt = awakeMs()
  expect((await stream).atMs - swallowedAt).toBeLessThan(MAX_STALENESS_MS + SLACK_MS)
  await expect.poll(() => feed.sync().then(() => 'fresh', String)).toBe('fresh')
})

test('a blocking call ends with an error when its Credence task ends', async () => {
  const { clientFor } = await serveAgent({ cut: false })
  const taskId = await aTask()
  const call = nameOfError((await clientFor({ taskId })).sendMessage(message()))
  await pause(200)
  await pair.planner.tasks.end(taskId)
  expect(await call).toBe('UnsupportedOperationError')
})

describe('push notifications', () => {
  const NOW = { returnImmediately: true }
  /** Starts a slow task with a configuration, in each way in which A2A lets a caller create one. */
  const WAYS: [string, (client: Client) => Promise<string>][] = [
    [
      'CreateTaskPushNotificationConfig',
      async (client) => {
        const { id } = (await client.sendMessage(message({}, NOW))) as Task
        await client.createTaskPushNotificationConfig(configFor(id))
        return id
      },
    ],
    [
      'SendMessage',
      async (client) => ((await client.sendMessage(message({}, { ...NOW, taskPushNotificationConfig: configFor('') }))) as Task).id,
    ],
    [
      'SendStreamingMessage',
      async (client) => {
        const stream = client.sendMessageStream(message({}, { taskPushNotificationConfig: configFor('', { id: '' }) }))
        const id = taskOfEvent((await stream.next()).value)
        void reading(stream)
        return id
      },
    ],
  ]
  const silentSince = async (sinceMs: number) => {
    await pause(MAX_STALENESS_MS + SLACK_MS + 500)
    return Math.max(...pushedAt) - sinceMs
  }

  test.each(WAYS)('that %s asked for end within the maximum staleness after the Credence task has ended', async (_name, begin) => {
    const { clientFor } = await serveAgent()
    const taskId = await aTask()
    await begin(await clientFor({ taskId }))
    await expect.poll(() => pushedAt.length).toBeGreaterThan(5)
    await pair.planner.tasks.end(taskId)
    expect(await silentSince(awakeMs())).toBeLessThan(MAX_STALENESS_MS + SLACK_MS)
  })

  test('end when the token expires, unless the caller creates the configuration again under a newer one', async () => {
    const own = runningClock()
    const { clientFor } = await serveAgent({ own })
    const taskId = await aTask()
    const [first, second] = [await clientFor({ taskId }), await clientFor({ taskId })]
    const { id } = (await first.sendMessage(message({}, NOW))) as Task
    await first.createTaskPushNotificationConfig(configFor(id))
    await first.createTaskPushNotificationConfig(configFor(id, { id: 'c2' }))
    clock.step(100)
    own.step(100)
    await second.createTaskPushNotificationConfig(configFor(id, { id: 'c2' }))
    own.step(201)
    const user = { isAuthenticated: true, userName: pair.planner.agentId }
    await expect.poll(async () => (await pushes.load(id, { user } as never)).map((config) => config.id)).toEqual(['c2'])
    await pair.planner.tasks.end(taskId)
    expect(await silentSince(awakeMs())).toBeLessThan(MAX_STALENESS_MS + SLACK_MS)
  })

  test('end within the maximum staleness when the connection to the registry has died without a sign', async () => {
    const { clientFor } = await serveAgent()
    await WAYS[1]?.[1](await clientFor({ taskId: await aTask() }))
    await expect.poll(() => pushedAt.length).toBeGreaterThan(5)
    proxy.swallow()
    expect(await silentSince(awakeMs())).toBeLessThan(MAX_STALENESS_MS + SLACK_MS)
    await expect.poll(() => feed.sync().then(() => 'fresh', String)).toBe('fresh')
  })

  test('of a message need what CreateTaskPushNotificationConfig needs', async () => {
    const SEND = { scope: 'ocr:read' }
    const { clientFor } = await serveAgent({ needs: { SendMessage: SEND, SendStreamingMessage: SEND } })
    const client = await clientFor({ taskId: await aTask() })
    const withPush = message({}, { ...NOW, taskPushNotificationConfig: configFor('') })
    expect(await nameOfError(client.sendMessage(withPush))).toBe('UnsupportedOperationError')
    expect(await nameOfError(client.sendMessageStream(withPush).next())).toBe('UnsupportedOperationError')
    expect(await nameOfError(client.sendMessage(message({}, NOW)))).toBe('done')
    expect(pushedAt).toEqual([])
  })

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'https://169.254.169.254/',
    'https://10.0.0.1/',
    'https://[fd00::1]/',
    'https://0x7f.1.invalid@10.0.0.1/',
    'http://hook.example.net/',
    'file:///etc/passwd',
    'hook',
    '',
  ])('are refused for the URL %o, in every way', async (url) => {
    const { clientFor } = await serveAgent()
    const client = await clientFor({ taskId: await aTask() })
    const { id } = (await client.sendMessage(message({}, NOW))) as Task
    expect(await nameOfError(client.createTaskPushNotificationConfig(configFor(id, { url })))).toBe('UnsupportedOperationError')
    const withPush = (more: object) => message(more, { ...NOW, taskPushNotificationConfig: configFor('', { url }) })
    for (const more of [{}, { taskId: id }]) expect(await nameOfError(client.sendMessage(withPush(more)))).toBe('UnsupportedOperationError')
    expect(await pushes.load(id, { user: { isAuthenticated: true, userName: pair.planner.agentId } } as never)).toEqual([])
  })
})
