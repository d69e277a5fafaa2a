import { createTRPCClient, httpBatchLink, httpLink, loggerLink, retryLink, splitLink, TRPCClientError } from '@trpc/client'
import { afterAll, beforeAll, expect, expectTypeOf, test } from 'vitest'
import { credenceLink } from '../../src/client/index.js'
import type { CredenceRouter } from '../../src/index.js'
import { type AgentActor, type Registry, startRegistry } from '../registry.js'

let registry: Registry
let agent: AgentActor
beforeAll(async () => {
  registry = await startRegistry()
  agent = await registry.agent()
})
afterAll(() => registry[Symbol.asyncDispose]())

const clientOf = () => createTRPCClient<CredenceRouter>({ links: [credenceLink(agent)] })

test('queries and mutations are authenticated, and their inputs and results are typed', async () => {
  const client = clientOf()
  const { taskId } = await client.tasks.create.mutate({ description: 'by a typed client' })
  const task = await client.tasks.get.query({ taskId })
  expectTypeOf(task.state).toEqualTypeOf<'active' | 'paused' | 'ended' | 'expired'>()
  expect(task).toMatchObject({ description: 'by a typed client', state: 'active' })
  expect((await client.system.info.query()).issuer).toBe(registry.issuer)
  // @ts-expect-error a number is not an id
  await expect(client.tasks.get.query({ taskId: 7 })).rejects.toMatchObject({ data: { reason: 'bad_input', faults: [{}] } })
  // @ts-expect-error there is no such procedure
  await expect(client.tasks.nothing.query()).rejects.toMatchObject({ data: { reason: 'not_found' } })
})

test('an error has the data that it has with httpLink', async () => {
  const http = createTRPCClient<CredenceRouter>({ links: [httpLink({ url: `${registry.issuer}/trpc` })] })
  const errorFrom = async (client: typeof http) => client.discovery.search.query({ limit: 1000 }).catch((error: unknown) => error)
  const error = await errorFrom(clientOf())
  const { data } = (await errorFrom(http)) as TRPCClientError<CredenceRouter>
  expect(error).toBeInstanceOf(TRPCClientError)
  expect(error).toMatchObject({ data: { ...data, reason: 'bad_input', requestId: expect.stringMatching(/^req_/) } })
})

test('a revoked root token is replaced', async () => {
  const client = clientOf()
  await client.tasks.list.query({})
  await agent.revoke((await agent.token()).accessToken)
  expect(await client.tasks.list.query({})).toMatchObject({ items: expect.any(Array) })
})

test('loggerLink, retryLink and splitLink work before it', async () => {
  const logged: string[] = []
  let attempts = 0
  const client = createTRPCClient<CredenceRouter>({
    links: [
      loggerLink({ logger: ({ direction, path }) => logged.push(`${direction} ${path}`) }),
      retryLink({ retry: ({ error }) => error.data?.reason === 'insufficient_scope' && ++attempts < 3 }),
      splitLink({
        condition: ({ path }) => path.startsWith('discovery.'),
        true: httpBatchLink({ url: `${registry.issuer}/trpc` }),
        false: credenceLink(agent),
      }),
    ],
  })
  expect(await client.discovery.search.query({ text: 'nothing' })).toMatchObject({ total: 0 })
  await expect(client.organisations.list.query({})).rejects.toMatchObject({ data: { reason: 'insufficient_scope' } })
  expect(attempts).toBe(3)
  expect(logged).toEqual(['up discovery.search', 'down discovery.search', 'up organisations.list', 'down organisations.list'])
})

test('a call ends when its signal aborts', async () => {
  const running = new AbortController()
  const calls = [running.signal, AbortSignal.abort()].map((signal) => clientOf().tasks.list.query({}, { signal }))
  running.abort()
  for (const call of calls) await expect(call).rejects.toMatchObject({ cause: { name: 'AbortError' } })
})

test('a subscription is refused with a text that names the working ways', async () => {
  const error = await new Promise((resolve) => clientOf().introductions.watch.subscribe({}, { onError: resolve }))
  expect(error).toMatchObject({ message: expect.stringContaining('agent.introductions.watch'), data: { reason: 'method_not_allowed' } })
})
