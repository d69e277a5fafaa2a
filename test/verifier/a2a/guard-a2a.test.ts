import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Task } from '@a2a-js/sdk'
import { type Client, ClientFactory, ClientFactoryOptions, JsonRpcTransportFactory } from '@a2a-js/sdk/client'
import { AgentEvent, type AgentExecutor, DefaultRequestHandler, InMemoryPushNotificationStore, InMemoryTaskStore } from '@a2a-js/sdk/server'
import { jsonRpcHandler } from '@a2a-js/sdk/server/express'
import express from 'express'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Feed } from '../../../src/client/feed.js'
import { openVerifierStore } from '../../../src/storage/sqlite/verifier-store.js'
import { a2aUser, createVerifier, guard, guardA2A, needsForAll, verifiedOf } from '../../../src/verifier/index.js'
import { type Registry, startRegistry } from '../../registry.js'
import { tempFolder } from '../../storage/open-store.js'
import { aPair, introduce, type Pair } from '../../stories/actors.js'
import { cardAt } from './card-at.js'

let registry: Registry
let pair: Pair
let feed: Feed
let server: Server
let url: string
let executed: string[] = []
let folder: Awaited<ReturnType<typeof tempFolder>>

/** Leaves each task in the state input-required, so that a caller can continue, cancel and subscribe to it. */
const executor: AgentExecutor = {
  async execute({ taskId, contextId, userMessage, context, task }, bus) {
    executed.push(verifiedOf(context).chain.join())
    if (!task)
      bus.publish(
        AgentEvent.task({
          id: taskId,
          contextId,
          status: { state: 2, timestamp: new Date().toISOString(), message: undefined },
          artifacts: [],
          history: [userMessage],
          metadata: undefined,
        } as Task),
      )
    else bus.publish(AgentEvent.task({ ...task, history: [...task.history, userMessage] }))
    bus.publish(
      AgentEvent.statusUpdate({
        taskId,
        contextId,
        status: { state: 6, timestamp: new Date().toISOString(), message: undefined },
        metadata: undefined,
      }),
    )
    bus.finished()
  },
  async cancelTask(taskId, bus) {
    bus.publish(
      AgentEvent.statusUpdate({
        taskId,
        contextId: '',
        status: { state: 5, timestamp: new Date().toISOString(), message: undefined },
        metadata: undefined,
      }),
    )
    bus.finished()
  },
}

const store = new InMemoryTaskStore()
const pushes = new InMemoryPushNotificationStore()
async function listen(needs = needsForAll({ scope: 'ocr:read' })) {
  const app = express()
  server = await new Promise<Server>((resolve) => {
    const opened = app.listen(0, '127.0.0.1', () => resolve(opened))
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  url = `${origin}/a2a`
  const verifier = createVerifier({
    issuer: registry.issuer,
    audience: pair.ocr.audience,
    publicUrl: origin,
    standing: feed,
    clock: registry.clock,
    ...openVerifierStore(`${folder.path}/verifier.db`, registry.clock.now),
  })
  const handler = new DefaultRequestHandler(cardAt(url) as never, store, executor, undefined, pushes)
  app.use('/a2a', guard(verifier, 'any'), jsonRpcHandler({ requestHandler: guardA2A(handler, { verifier, needs }), userBuilder: a2aUser }))
}

beforeAll(async () => {
  registry = await startRegistry()
  pair = await aPair(registry)
  feed = await pair.ocr.subscribe()
  folder = await tempFolder()
  await listen()
})
afterAll(async () => {
  feed.close()
  server.closeAllConnections()
  server.close()
  await folder[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
})

const clientFor = async (peer: object, agent = pair.planner): Promise<Client> => {
  const fetchImpl = agent.fetchAs({ audience: pair.ocr.audience, scope: 'ocr:read', ...peer })
  const options = ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
    transports: [new JsonRpcTransportFactory({ fetchImpl })],
  })
  return new ClientFactory(options).createFromAgentCard(cardAt(url) as never)
}
const message = (more: object = {}) =>
  ({ message: { messageId: crypto.randomUUID(), role: 1, parts: [{ content: { $case: 'text', value: 'hi' } }], ...more } }) as never
const begin = async (client: Client): Promise<Task> => (await client.sendMessage(message())) as Task
const reason = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error) => error.name,
  )
const drain = async (stream: AsyncIterable<unknown>) => {
  for await (const _ of stream) {
  }
}

describe('A2A tasks', () => {
  test('a token of the task that started an A2A task reaches it with every method; any other token gets TaskNotFound', async () => {
    const [ownTask, otherTask] = [
      await pair.planner.tasks.create({ description: 'a' }),
      await pair.planner.tasks.create({ description: 'b' }),
    ]
    const [own, foreign, none] = [
      await clientFor({ taskId: ownTask.taskId }),
      await clientFor({ taskId: otherTask.taskId }),
      await clientFor({}),
    ]
    const { id, contextId } = await begin(own)
    const config = { taskId: id, id: 'c1', url: 'https://hook.example/', token: '', tenant: '', authentication: undefined }
    const calls = (client: Client): [string, () => Promise<unknown>][] => [
      ['get', () => client.getTask({ id } as never)],
      ['continue', () => client.sendMessage(message({ taskId: id, contextId }))],
      ['continue by context', () => client.sendMessage(message({ contextId }))],
      ['refer to', () => client.sendMessage(message({ referenceTaskIds: [id] }))],
      ['stream', () => drain(client.sendMessageStream(message({ taskId: id, contextId })))],
      ['create push configuration', () => client.createTaskPushNotificationConfig(config as never)],
      ['get push configuration', () => client.getTaskPushNotificationConfig({ taskId: id, id: 'c1' } as never)],
      ['list push configurations', () => client.listTaskPushNotificationConfig({ taskId: id } as never)],
      ['delete push configuration', () => client.deleteTaskPushNotificationConfig({ taskId: id, id: 'c1' } as never)],
      ['cancel', () => client.cancelTask({ id } as never)],
    ]
    for (const client of [foreign, none])
      for (const [name, call] of calls(client)) expect(await reason(call()), name).toBe('TaskNotFoundError')
    expect(await reason(drain(foreign.resubscribeTask({ id } as never)))).toBe('TaskNotFoundError')
    for (const [name, call] of calls(own)) expect(await reason(call()), name).not.toBe('TaskNotFoundError')
    expect(
      (await own.listTasks({ tenant: '', contextId: '', status: 0, pageToken: '', statusTimestampAfter: undefined })).tasks.map(
        (task) => task.id,
      ),
    ).toContain(id)
    expect(
      (await foreign.listTasks({ tenant: '', contextId: '', status: 0, pageToken: '', statusTimestampAfter: undefined })).tasks.map(
        (task) => task.id,
      ),
    ).not.toContain(id)
  })

  test('the error for an A2A task of another caller is the error for an unknown id', async () => {
    const [ownTask, otherTask] = [
      await pair.planner.tasks.create({ description: 'a' }),
      await pair.planner.tasks.create({ description: 'b' }),
    ]
    const { id } = await begin(await clientFor({ taskId: ownTask.taskId }))
    const foreign = await clientFor({ taskId: otherTask.taskId })
    const texts = await Promise.all(
      [id, crypto.randomUUID()].map((taskId) =>
        foreign.getTask({ id: taskId } as never).then(
          () => 'done',
          (error: Error) => error.message.replace(/none-\S+/, 'none'),
        ),
      ),
    )
    expect(texts[0]).toBe(texts[1])
    expect(texts[0]).not.toContain(id)
  })

  test('ListTasks pages over the caller’s own tasks; page tokens, totals and filters reveal no others', async () => {
    const [ownTask, otherTask] = [
      await pair.planner.tasks.create({ description: 'a' }),
      await pair.planner.tasks.create({ description: 'b' }),
    ]
    const [own, foreign] = [await clientFor({ taskId: ownTask.taskId }), await clientFor({ taskId: otherTask.taskId })]
    const none = await clientFor({ taskId: (await pair.planner.tasks.create({ description: 'c' })).taskId })
    const [ownIds, foreignIds]: [string[], string[]] = [[], []]
    let contextId = ''
    for (let i = 0; i < 3; i++) {
      const task = await begin(own)
      contextId = task.contextId
      ownIds.push(task.id)
      foreignIds.push((await begin(foreign)).id)
    }
    const list = (client: Client, more: object = {}) =>
      client.listTasks({ tenant: '', contextId: '', status: 0, pageToken: '', statusTimestampAfter: undefined, ...more } as never)
    for (const [client, ids] of [
      [own, ownIds],
      [foreign, foreignIds],
    ] as const) {
      const listed: string[] = []
      let pageToken = ''
      do {
        const page = await list(client, { pageSize: 1, pageToken })
        expect([page.tasks.length, page.totalSize]).toEqual([1, 3])
        listed.push(...page.tasks.map(({ id }) => id))
        pageToken = page.nextPageToken
        expect(['', ...ids]).toContain(pageToken)
      } while (pageToken !== '')
      expect(listed.sort()).toEqual([...ids].sort())
    }
    const empty = { tasks: [], nextPageToken: '', totalSize: 0 }
    for (const more of [{}, { contextId }, { contextId: crypto.randomUUID() }, { status: 6 }, { contextId, status: 6 }])
      expect(await list(none, { pageSize: 1, ...more })).toMatchObject(empty)
    for (const pageToken of [ownIds[0], crypto.randomUUID(), 'MjAyNnw='])
      expect(await list(foreign, { pageSize: 1, pageToken })).toMatchObject({ tasks: [], nextPageToken: '', totalSize: 3 })
    expect(await list(own, { contextId })).toMatchObject({ tasks: [{ id: ownIds[2] }], totalSize: 1 })
    expect(await reason(list(own, { pageSize: 101 }))).toBe('RequestMalformedError')
  })

  test('the error for a context of another caller is the error for an unknown one, and naming an unknown context does not create it', async () => {
    const [ownTask, otherTask] = [
      await pair.planner.tasks.create({ description: 'a' }),
      await pair.planner.tasks.create({ description: 'b' }),
    ]
    const [own, foreign] = [await clientFor({ taskId: ownTask.taskId }), await clientFor({ taskId: otherTask.taskId })]
    const { contextId } = await begin(own)
    const unknown = crypto.randomUUID()
    const errors = await Promise.all(
      [contextId, unknown].map((id) =>
        foreign.sendMessage(message({ contextId: id })).then(
          () => 'done',
          (error: Error) => `${error.name} ${error.message.replace(/none-\S+/, 'none')}`,
        ),
      ),
    )
    expect(errors[0]).toBe(errors[1])
    expect(errors[0]).toMatch(/^TaskNotFoundError/)
    const verifierStore = openVerifierStore(`${folder.path}/verifier.db`, registry.clock.now)
    expect(await verifierStore.taskBindings.find(`context ${unknown}`)).toBeUndefined()
    expect(await verifierStore.taskBindings.find(`context ${contextId}`)).toMatchObject({ taskId: ownTask.taskId })
    verifierStore.close()
    expect(await reason(own.sendMessage(message({ contextId })))).toBe('done')
  })

  test('a token of an ancestor task reaches the A2A task; a token of a child task does not', async () => {
    const parent = await pair.planner.tasks.create({ description: 'parent' })
    const child = await pair.planner.tasks.create({ description: 'child', parentTaskId: parent.taskId })
    const [ofParent, ofChild] = [await clientFor({ taskId: parent.taskId }), await clientFor({ taskId: child.taskId })]
    const fromChild = await begin(ofChild)
    const fromParent = await begin(ofParent)
    expect(await reason(ofParent.getTask({ id: fromChild.id } as never))).toBe('done')
    expect(await reason(ofChild.getTask({ id: fromParent.id } as never))).toBe('TaskNotFoundError')
  })

  test('a task binding survives a restart of the resource server', async () => {
    const [ownTask, otherTask] = [
      await pair.planner.tasks.create({ description: 'a' }),
      await pair.planner.tasks.create({ description: 'b' }),
    ]
    const { id } = await begin(await clientFor({ taskId: ownTask.taskId }))
    server.closeAllConnections()
    server.close()
    await listen()
    expect(await reason((await clientFor({ taskId: ownTask.taskId })).getTask({ id } as never))).toBe('done')
    expect(await reason((await clientFor({ taskId: otherTask.taskId })).getTask({ id } as never))).toBe('TaskNotFoundError')
  })
})

test('a method without an entry in the needs is refused, and so is a method whose scope the token lacks', async () => {
  server.closeAllConnections()
  server.close()
  await listen({ SendMessage: { scope: 'ocr:read' }, GetTask: { scope: 'ocr:admin' } })
  const client = await clientFor({ taskId: (await pair.planner.tasks.create({ description: 'x' })).taskId })
  const { id } = await begin(client)
  expect(await reason(client.getTask({ id } as never))).toBe('UnsupportedOperationError')
  expect(await reason(client.cancelTask({ id } as never))).toBe('UnsupportedOperationError')
})

test('a request without a token gets 401 and does not reach the executor', async () => {
  executed = []
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'SendMessage', params: {} })
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', 'a2a-version': '1.0' }, body })
  expect(response.status).toBe(401)
  expect(response.headers.get('www-authenticate')).toMatch(/^DPoP /)
  expect(executed).toEqual([])
})

test('a revoked introduction stops the next call after the feed has synced', async () => {
  const client = await clientFor({})
  expect(await reason(client.sendMessage(message()))).toBe('done')
  await pair.ocr.introductions.revoke(pair.introductionId)
  await feed.sync()
  await expect(client.sendMessage(message())).rejects.toThrow('Status: 401')
  await introduce(pair.planner, pair.ocr)
})
