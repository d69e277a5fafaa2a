// Single-use ids, counters and secrets are in the database: what one instance issues another accepts, and what is used at one is used at all.
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { confirmAgent, joinRegistry, newEs256Signer } from '../../../src/client/index.js'
import { FEED_PROTOCOL, TICKET_PREFIX } from '../../../src/protocol/log/feed.js'
import { assertionOf, freshNonce, proofOf, tokenRequest } from '../../oauth/requests.js'
import { type Actor, type AgentActor, aCard, type Registry, startRegistry } from '../../registry.js'
import { reasonOf } from '../../stories/actors.js'
import { hasMongod } from '../open-mongo.js'

let registry: Registry
let acme: Actor
let agent: AgentActor
const A = 0
const B = 1

/** Routes the requests of `work` to one instance. */
async function at<T>(instance: number, work: () => Promise<T>): Promise<T> {
  registry.front.route([registry.servers[instance]?.port ?? 0])
  return work()
}

beforeAll(async () => {
  if (!hasMongod) return
  registry = await startRegistry()
  acme = await registry.organisation('Acme')
  agent = await registry.agent({ registeredBy: acme })
})
afterAll(() => registry?.[Symbol.asyncDispose]())

const root = { grant_type: 'client_credentials' }

test.skipIf(!hasMongod)(
  'a nonce is valid at both instances, and an assertion or proof that was used at one is refused at the other',
  async () => {
    const nonce = await at(A, () => freshNonce(registry, agent))
    const assertion = await assertionOf(registry, agent)
    const proof = await proofOf(registry, agent.signer, { path: '/oauth/token', nonce })
    const request = (options: object) => tokenRequest(registry, agent, root, { nonce, ...options })
    expect((await at(B, () => request({ assertion, proof }))).status).toBe(200)
    expect((await at(A, () => request({ assertion }))).body).toMatchObject({ error: 'invalid_client' })
    expect((await at(A, () => request({ proof }))).body).toMatchObject({ error: 'invalid_dpop_proof' })
    expect((await at(A, () => request({}))).status).toBe(200)
  },
)

test.skipIf(!hasMongod)('an invitation is redeemed once at any instance, and failed attempts are counted across instances', async () => {
  const invite = () =>
    at(A, () => acme.mutate<{ code: string }>('members.invite', { orgId: acme.orgId, role: 'member' })).then(({ code }) => code)
  const join = async (instance: number, code: string) => {
    const signer = await newEs256Signer()
    return at(instance, () => reasonOf(joinRegistry({ issuer: registry.issuer, clock: registry.clock, code, name: 'Bo', signer })))
  }
  const code = await invite()
  expect(await join(B, code)).toBe('done')
  expect(await join(A, code)).not.toBe('done')
  const guessed = await invite()
  const [id] = guessed.split('.')
  for (let i = 0; i < 5; i++) expect(await join(i % 2, `${id}.${'x'.repeat(22)}`)).not.toBe('done')
  expect(await join(B, guessed)).not.toBe('done')
})

test.skipIf(!hasMongod)('a registration is confirmed once at any instance', async () => {
  const { agentId, registrationToken } = await at(A, () => registry.registration({ registeredBy: acme }))
  const confirm = async (instance: number) => {
    const signer = await newEs256Signer()
    const options = { issuer: registry.issuer, clock: registry.clock, agentId, registrationToken, signer }
    return at(instance, () => reasonOf(confirmAgent(options)))
  }
  expect(await confirm(B)).toBe('done')
  expect(await confirm(A)).not.toBe('done')
})

test.skipIf(!hasMongod)('a ticket opens a WebSocket once at any instance', async () => {
  const { ticket } = await at(A, () => agent.mutate<{ ticket: string }>('system.ticket'))
  const open = (instance: number) =>
    at(instance, async () => {
      const ws = new WebSocket(`${registry.issuer.replace('http', 'ws')}/revocations`, [FEED_PROTOCOL, TICKET_PREFIX + ticket])
      const opened = await once(ws, 'open').then(Boolean, () => false)
      ws.terminate()
      return opened
    })
  expect([await open(B), await open(A), await open(B)]).toEqual([true, false, false])
})

test.skipIf(!hasMongod)('a cursor of one instance is valid at the other', async () => {
  for (let i = 0; i < 2; i++) {
    const callee = await registry.agent({ registeredBy: acme })
    await callee.publish({ card: aCard(registry) })
  }
  const first = await at(A, () => agent.search({ text: 'scanned', limit: 1 }))
  const second = await at(B, () => agent.search({ text: 'scanned', limit: 1, cursor: first.cursor ?? '' }))
  expect(new Set([...first.hits, ...second.hits].map(({ agentId }) => agentId)).size).toBe(2)
})
