// Approvals at the same time, over two instances whose storage answers after 0 to 5 ms: a request, a decision and a use each count once. Runs over both stores.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Approval } from '../../../src/client/index.js'
import { requireApproval } from '../../../src/delegation/approvals/require.js'
import { approvalsStore, isForConsent } from '../../../src/delegation/approvals/store.js'
import { systemRandom } from '../../../src/lib/random.js'
import type { KeyRing } from '../../../src/signing-keys/key-ring.js'
import { tokenRequest } from '../../oauth/requests.js'
import { type Actor, type AgentActor, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { AT_ONCE, atOnce } from '../../stories/at-once.js'
import { lateGate } from '../../trust-log/gated-storage.js'

let registry: Registry
let acme: Actor
let client: AgentActor
const URI = 'http://127.0.0.1:9/races'
beforeAll(async () => {
  registry = await startRegistry({ gate: lateGate() })
  acme = await registry.organisation('Acme')
  const scopes = [{ scope: 'mail', words: 'Send mail', approval: 'organisation' }]
  await acme.mutate('resources.register', { uri: URI, name: 'Mail', scopes, policy: { mode: 'open' } })
  const globex = await registry.organisation('Globex')
  client = await registry.agent({ registeredBy: globex, ceiling: { rights: [{ audience: URI, scope: 'mail' }] } })
})
afterAll(() => registry[Symbol.asyncDispose]())

const request = (more: object = {}) => tokenRequest(registry, client, { grant_type: 'client_credentials', resource: URI, ...more })
const refused = async (): Promise<string> => (await request()).body.access_request.binding_token
const ask = async (bindingToken: string) => client.mutate<Approval>('approvals.request', { bindingToken, purpose: 'x' })
const pending = async () => (await client.approvals.list({ role: 'from', limit: 100 })).items

test('of eight requests with one binding token one creates the approval', async () => {
  const bindingToken = await refused()
  const asked = await atOnce(() => ask(bindingToken))
  expect(new Set(asked.map(({ approvalId }) => approvalId)).size).toBe(1)
  expect(await pending()).toHaveLength(1)
})

test('of eight decisions one counts, and of eight uses one gets the token', async () => {
  const { approvalId } = await ask(await refused())
  const decided = await atOnce(() => reasonOf(acme.approvals.approve(approvalId)))
  expect(decided.sort()).toEqual(['done', ...Array.from({ length: AT_ONCE - 1 }, () => 'not_pending')])
  const used = await atOnce(() => request({ approval_id: approvalId }))
  expect(used.map(({ status, body }) => `${status} ${body.error}`).sort()).toEqual([
    '200 undefined',
    ...Array.from({ length: AT_ONCE - 1 }, () => '409 conflict'),
  ])
})

test('a use, a cancellation and a withdrawal at once: one of them counts', async () => {
  for (let i = 0; i < 5; i++) {
    const { approvalId } = await ask(await refused())
    await acme.approvals.approve(approvalId)
    const outcomes = await Promise.all([
      request({ approval_id: approvalId }).then(({ body }) => body.error ?? 'done'),
      reasonOf(client.approvals.cancel(approvalId)),
      reasonOf(acme.approvals.withdraw(approvalId)),
    ])
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
  }
})

test('of 25 requests at once no more wait than an agent may have', async () => {
  const bindingTokens: string[] = []
  for (let i = 0; i < 25; i++) bindingTokens.push(await refused())
  const asked = await Promise.all(bindingTokens.map((bindingToken) => reasonOf(ask(bindingToken))))
  expect(asked.every((outcome) => ['done', 'conflict'].includes(outcome))).toBe(true)
  expect(await pending()).toHaveLength(20)
})

test('a decision that is made again for the same request, because it took too long, keeps its approval; another request gets none', async () => {
  for (const { approvalId } of await pending()) await client.approvals.cancel(approvalId)
  const { approvalId } = await ask(await refused())
  await acme.approvals.approve(approvalId)
  const [server] = registry.servers
  const approvals = approvalsStore(registry)
  const approval = await approvals.get(approvalId)
  if (!server || !approval) throw new Error('there is no server or no approval')
  const { trustLog } = server
  const barrier = await trustLog.readBarrier()
  if (isForConsent(approval.request)) throw new Error('not the approval of a token')
  const { request } = approval
  const approver = {
    findDecider: async () => undefined,
    findClient: async () => ({ kind: 'member', orgId: acme.orgId, role: 'administrator' }) as const,
  }
  const deps = { approvals, trustLog, random: systemRandom, issuer: registry.issuer, keyRing: {} as KeyRing, ...approver }
  const decide = (attempt: string) => requireApproval(deps, barrier, { request, because: ['scope'], approvalId: approval.id, attempt })
  const commit = async (attempt: string) => {
    const taken = await decide(attempt)
    return taken && (await registry.storage.commit([taken.taking])).ok
  }
  expect(await commit('req_1')).toBe(true)
  expect(await commit('req_1')).toBe(true)
  expect(await reasonOf(decide('req_2'))).toBe('conflict')
})
