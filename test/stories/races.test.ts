// Eight requests at once at two servers whose store takes 0–5 ms for each access. Runs over the embedded store and over MongoDB.
import { randomInt } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TaskId } from '../../src/protocol/ids.js'
import { issueGrant, registerAgent } from '../conformance/registration.js'
import { type OAuthResponse, tokenRequest } from '../oauth/requests.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../registry.js'
import { reasonOf } from './actors.js'
import { AT_ONCE, atOnce, expectOne, inTurn, isKnown } from './at-once.js'

const SCOPES = ['files:read', 'files:write']

let registry: Registry
let acme: Actor
beforeAll(async () => {
  registry = await startRegistry({
    registration: 'token',
    gate: async (name, work) => {
      await setTimeout(randomInt(4))
      const result = await work()
      await setTimeout(randomInt(3))
      if (held?.name === name) await hold()
      return result
    },
  })
  acme = await registry.organisation('Acme')
})
afterAll(() => registry[Symbol.asyncDispose]())

/** The next access with this name is held after it has read: `reached` resolves, and the access goes on once `release` is called. */
let held: { readonly name: string; readonly reached: () => void; readonly released: Promise<void> } | undefined
async function hold() {
  const { reached, released } = held ?? expect.unreachable()
  held = undefined
  reached()
  await released
}
function holdNext(name: string) {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const reached = new Promise<void>((resolve) => {
    held = { name, reached: resolve, released }
  })
  return { reached, release }
}

const clientCredentials = (client: Actor, form: object): Promise<OAuthResponse> =>
  tokenRequest(registry, client, { grant_type: 'client_credentials', ...form })
/** The number of occurrences of each value. */
const counts = (values: readonly unknown[]) =>
  Object.fromEntries([...new Set(values)].map((value) => [String(value), values.filter((one) => one === value).length]))

let uris = 0
const aUri = () => `http://127.0.0.1:9/${uris++}`
const registerResource = (uri = aUri()) =>
  acme.mutate<{ resourceId: string; uri: string }>('resources.register', {
    uri,
    name: 'Files',
    scopes: SCOPES.map((scope) => ({ scope, words: scope })),
    policy: { mode: 'open' },
  })
const aClient = (uri: string): Promise<AgentActor> =>
  registry.agent({ registeredBy: acme, ceiling: { rights: SCOPES.map((scope) => ({ audience: uri, scope })) } })

test('of eight registrations with one use of the initial access token left, one succeeds', async () => {
  const { initialAccessToken, registrationId } = await issueGrant(registry, acme, { uses: 1 })
  const responses = await atOnce((i) => registerAgent(registry, initialAccessToken, { client_name: `Race ${i}` }))
  const won = responses.filter(({ status }) => status === 201)
  expectOne(responses, won)
  const lost = responses.filter((one) => isKnown(one) && !won.includes(one))
  expect(lost.map(({ status, body }) => [status, body.error])).toEqual(lost.map(() => [401, 'invalid_token']))
  const grants = await acme.query<{ items: { registrationId: string; usesLeft: number }[] }>('registrations.list', {})
  expect(grants.items.find((one) => one.registrationId === registrationId)?.usesLeft).toBe(0)
  const agents = await acme.query<{ items: { name: string }[] }>('agents.list', { limit: 100 })
  expect(agents.items.filter(({ name }) => name.startsWith('Race ')).length).toBe(1)
})

test('eight first requests at an open resource create one introduction, and all get a token', async () => {
  const { uri, resourceId } = await registerResource()
  const client = await aClient(uri)
  const responses = await atOnce(() => clientCredentials(client, { resource: uri }))
  expect(new Set(responses.filter(isKnown).map(({ status }) => status))).toEqual(new Set([200]))
  const { items } = await acme.query<{ items: { to: string }[] }>('introductions.list', { role: 'to', limit: 100 })
  expect(items.filter(({ to }) => to === resourceId).length).toBe(1)
})

test.each([
  ['a root token', () => ({})],
  ['a token for an open resource', (uri: string) => ({ resource: uri })],
])('eight requests for %s with one new task reference create one task', async (_, target) => {
  const { uri } = await registerResource()
  const client = await aClient(uri)
  const form = { task_id: 'review-1', task_description: 'Code Review', ...target(uri) }
  const responses = await atOnce(() => clientCredentials(client, form))
  expect(new Set(responses.filter(isKnown).map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(responses.filter(isKnown).map(({ body }) => body.task_id)).size).toBe(1)
  expect((await client.tasks.list({ limit: 100 })).items.length).toBe(1)
})

test('of eight proofs of one URI by as many resources, one succeeds; eight proofs of one resource all do', async () => {
  const uri = aUri()
  const resources = await inTurn(async () => (await registerResource(uri)).resourceId)
  const confirm = (resourceId?: string) => reasonOf(registry.operator.mutate('resources.confirm', { resourceId }))
  const outcomes = await atOnce((i) => confirm(resources[i]))
  expect(counts(outcomes)).toEqual({ done: 1, already_exists: AT_ONCE - 1 })
  const states = await Promise.all(
    resources.map(async (resourceId) => (await acme.query<{ state: string }>('resources.get', { resourceId })).state),
  )
  expect(counts(states)).toEqual({ proved: 1, unproved: AT_ONCE - 1 })
  expect(states.indexOf('proved')).toBe(outcomes.indexOf('done'))
  const { resourceId } = await registerResource()
  expect(counts(await atOnce(() => confirm(resourceId)))).toEqual({ done: AT_ONCE })
})

test('a request that found no task of its reference uses the one that another request created meanwhile', async () => {
  const client = await registry.agent({ registeredBy: acme })
  const request = () => clientCredentials(client, { task_id: 'review-1', task_description: 'Code Review' })
  const { reached, release } = holdNext('named-tasks.get')
  const first = request()
  await reached
  const second = await request()
  release()
  expect((await first).body.task_id).toBe(second.body.task_id)
  expect((await client.tasks.list({ limit: 100 })).items.length).toBe(1)
})

describe('during a decision', () => {
  /** Starts eight token requests and, in the place of one, the work. Returns the tokens that were issued and the reasons of the refusals. */
  async function whileRequested(work: (resource: { uri: string; resourceId: string }) => Promise<unknown>) {
    const resource = await registerResource()
    const client = await aClient(resource.uri)
    await clientCredentials(client, { resource: resource.uri })
    const responses = await atOnce((i) =>
      i === AT_ONCE / 2 ? work(resource).then(() => undefined) : clientCredentials(client, { resource: resource.uri }),
    )
    const answered = responses.flatMap((one) => (one !== undefined && isKnown(one) ? [one] : []))
    return {
      client,
      resource,
      tokens: answered.filter(({ status }) => status === 200).map(({ body }) => String(body.access_token)),
      refusals: new Set(answered.filter(({ status }) => status !== 200).map(({ body }) => body.error)),
    }
  }
  /** A request that read something which then ended may be refused. */
  const unexpected = (refusals: ReadonlySet<string>) => [...refusals].filter((one) => one !== 'invalid_target' && one !== 'invalid_request')
  const scopesOf = async (client: AgentActor, tokens: readonly string[]) =>
    new Set(
      await Promise.all(
        tokens.map(async (token) => {
          const { active, scope } = await client.introspect(token)
          return active ? scope : 'inactive'
        }),
      ),
    )

  test('a resource is revoked: no token for it is active afterwards, and none is issued', async () => {
    const { client, resource, tokens, refusals } = await whileRequested(({ resourceId }) => acme.mutate('resources.revoke', { resourceId }))
    expect(unexpected(refusals)).toEqual([])
    expect([...(await scopesOf(client, tokens))].filter((scope) => scope !== 'inactive')).toEqual([])
    expect((await clientCredentials(client, { resource: resource.uri })).body.error).toBe('invalid_target')
  })

  test('a resource loses a scope: no token with it is active afterwards', async () => {
    const { client, resource, tokens, refusals } = await whileRequested(({ resourceId }) =>
      acme.mutate('resources.change', { resourceId, scopes: [{ scope: 'files:read', words: 'Read files' }] }),
    )
    expect(unexpected(refusals)).toEqual([])
    expect([...(await scopesOf(client, tokens))].filter((scope) => scope !== 'inactive' && scope !== 'files:read')).toEqual([])
    expect((await clientCredentials(client, { resource: resource.uri })).body.scope).toBe('files:read')
  })

  test('a resource is closed: no token for it is active afterwards', async () => {
    const { client, tokens, refusals } = await whileRequested(({ resourceId }) =>
      acme.mutate('resources.change', { resourceId, policy: { mode: 'closed' } }),
    )
    expect(unexpected(refusals)).toEqual([])
    expect([...(await scopesOf(client, tokens))].filter((scope) => scope !== 'inactive')).toEqual([])
  })

  test('a resource is closed between two reads of one decision: the token is refused or inactive', async () => {
    const { uri, resourceId } = await registerResource()
    const client = await aClient(uri)
    await clientCredentials(client, { resource: uri })
    // A new introduction of any pair empties the caches of introductions
    const other = await registerResource()
    await clientCredentials(await aClient(other.uri), { resource: other.uri })
    const { reached, release } = holdNext('introductions.find')
    const request = clientCredentials(client, { resource: uri })
    await reached
    await acme.mutate('resources.change', { resourceId, policy: { mode: 'closed' } })
    release()
    const { status, body } = await request
    const outcome = status === 200 ? (await client.introspect(body.access_token)).active : body.error
    expect([false, 'invalid_target', 'invalid_request']).toContain(outcome)
  })

  test('a task ends: no token of it is active afterwards, and none is issued', async () => {
    const { uri } = await registerResource()
    const client = await aClient(uri)
    const { taskId } = await client.tasks.create({ description: 'short' })
    const request = () => clientCredentials(client, { resource: uri, task_id: taskId })
    await request()
    const tokens: string[] = []
    const reasons = await atOnce(async (i) => {
      if (i === AT_ONCE / 2) return reasonOf(client.tasks.end(taskId as TaskId))
      const { status, body } = await request()
      if (status === 200) tokens.push(body.access_token)
      return status === 200 ? 'done' : body.error
    })
    expect(reasons.filter((reason) => reason !== 'done' && reason !== 'invalid_request' && reason !== 'unavailable')).toEqual([])
    expect([...(await scopesOf(client, tokens))].filter((scope) => scope !== 'inactive')).toEqual([])
    expect((await request()).body.error).toBe('invalid_request')
  })
})
