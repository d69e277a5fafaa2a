import { expect, test } from 'vitest'
import { newHistory } from '../../../src/audit/history.js'
import { auditStore } from '../../../src/audit/store.js'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newEs256Signer, proveKey, type Signer, signJwt } from '../../../src/credentials/jose/sign.js'
import type { Caller } from '../../../src/http/caller.js'
import { findRegisteredKeys } from '../../../src/identity/keys/find.js'
import { listRegisteredKeys } from '../../../src/identity/keys/list.js'
import { MAX_KEYS } from '../../../src/identity/keys/quota-slots.js'
import { type RegisterKeyDeps, saveRegisteredKey } from '../../../src/identity/keys/register.js'
import { registeredKeysStore } from '../../../src/identity/keys/store.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { MemberId, newId } from '../../../src/protocol/ids.js'
import { verifyClientAssertion } from '../../credentials/verify-client-assertion.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { reasonOf } from '../../stories/actors.js'
import { aHandle, end, openLogs } from '../../trust-log/open-logs.js'

const registering = (registry: Registry, actor: Registry['operator'], owner: string) => async (signer: Signer) => {
  const proof = await proveKey({ signer, clock: registry.clock, random }, { issuer: registry.issuer, owner })
  return reasonOf(actor.mutate('keys.register', { owner, use: 'client', jwk: signer.publicJwk, proof }))
}
const count = (reasons: readonly string[]) =>
  Object.fromEntries([...new Set(reasons)].map((reason) => [reason, reasons.filter((other) => other === reason).length]))

test('one of 20 concurrent registrations of the same key succeeds, and the key can be registered again after it was revoked', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const admin = await registry.organisation('Acme')
  const { agentId } = await registry.agent({ registeredBy: admin })
  const register = registering(registry, admin, agentId)
  const signer = await newEs256Signer()
  const activeKeys = async () => {
    const { items } = await admin.query<{ items: { keyId: string; jkt: string; state: string }[] }>('keys.list', {
      owner: agentId,
    })
    return items.filter(({ jkt, state }) => jkt === thumbprint(signer.publicJwk) && state === 'active')
  }
  for (const _ of ['first registration', 'second registration']) {
    expect(count(await Promise.all(Array.from({ length: 20 }, () => register(signer))))).toEqual({ done: 1, already_exists: 19 })
    const [key, ...others] = await activeKeys()
    expect(others).toEqual([])
    await admin.mutate('keys.revoke', { keyId: key?.keyId })
  }
  expect(await activeKeys()).toEqual([])
})

test('concurrent registrations give an owner at most MAX_KEYS keys, and a revoked key frees its slot', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const admin = await registry.organisation('Acme')
  const { agentId } = await registry.agent({ registeredBy: admin })
  const register = registering(registry, admin, agentId)
  const signers = await Promise.all(Array.from({ length: MAX_KEYS + 4 }, newEs256Signer))
  expect(count(await Promise.all(signers.map(register)))).toEqual({ done: MAX_KEYS - 1, conflict: 5 })
  const { items } = await admin.query<{ items: { keyId: string }[] }>('keys.list', { owner: agentId })
  expect(items).toHaveLength(MAX_KEYS)
  await admin.mutate('keys.revoke', { keyId: items[7]?.keyId })
  const fresh = [await newEs256Signer(), await newEs256Signer()]
  expect(count(await Promise.all(fresh.map(register)))).toEqual({ done: 1, conflict: 1 })
})

test('each of MAX_KEYS keys authenticates its client, with and without a kid in the assertion', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const admin = await registry.organisation('Acme')
  const agent = await registry.agent({ registeredBy: admin })
  const more = await Promise.all(Array.from({ length: MAX_KEYS - 1 }, newEs256Signer))
  expect(count(await Promise.all(more.map(registering(registry, admin, agent.agentId))))).toEqual({ done: MAX_KEYS - 1 })
  const signers = [agent.signer, ...more]
  const withKid = await Promise.all(signers.map((signer) => reasonOf(registry.as(agent, { signer }).query('tasks.list'))))
  expect(count(withKid)).toEqual({ done: MAX_KEYS })
  const now = registry.clock.now()
  const claims = () => ({ iss: agent.agentId, sub: agent.agentId, aud: registry.issuer, exp: now + 60, jti: random.token(16) })
  const withoutKid = await Promise.all(signers.map(async (signer) => signJwt({ typ: 'jwt' }, claims(), signer)))
  const keys = signers.map((signer) => ({ jwk: signer.publicJwk }))
  const expected = { clientId: agent.agentId, keys, issuer: registry.issuer, now }
  expect(count(await Promise.all(withoutKid.map((assertion) => reasonOf(verifyClientAssertion(assertion, expected)))))).toEqual({
    done: MAX_KEYS,
  })
})

test('more revoked registrations than a list holds do not displace the key that stands', async () => {
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const registeredKeys = registeredKeysStore({ storage: logs.storage })
  const owner = newId(random, 'agt')
  const audit = { history: () => newHistory(auditStore(logs.storage), { id: owner, orgId: terms.orgId, role: 'agent' }) }
  const deps = { registeredKeys, trustLog, random, audit } as unknown as RegisterKeyDeps // these calls use no other dependency
  const terms = { owner, orgId: newId(random, 'org'), use: 'client' as const, grantedBy: [], registeredBy: owner }
  const register = async (registeredAt: number) => {
    const { publicJwk: jwk, alg } = await newEs256Signer()
    const registration = { ...terms, key: { jwk, alg, jkt: thumbprint(jwk) }, registeredAt }
    const registered = await saveRegisteredKey(deps, registration, { dependsOn: [], also: [] })
    return registeredKeys.get(registered?.keyId ?? '')
  }
  const first = await register(1)
  for (let i = 0; i < 110; i++) await end(trustLog, (await register(2 + i))?.handle ?? aHandle())
  const standing = (await findRegisteredKeys({ registeredKeys }, owner)).filter(({ handle }) => !trustLog.ended.has(handle))
  expect(standing.map(({ id }) => id)).toEqual([first?.id])
  const caller = { kind: 'agent', id: owner, orgId: terms.orgId } as unknown as Caller // the owner itself
  const list = await listRegisteredKeys({ ...deps, orgOfOwner: async () => terms.orgId, clientUriOf: async () => undefined }, caller, owner)
  expect(list.items).toHaveLength(101)
  expect(list.items[0]).toMatchObject({ keyId: first?.id, state: 'active' })
})

test('a slot that was put into the store gives an owner no key of another owner', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const acme = await registry.organisation('Acme')
  const registeredKeys = registeredKeysStore({ storage: registry.storage })
  const [own] = await findRegisteredKeys({ registeredKeys }, MemberId.parse(acme.clientId))
  const owner = MemberId.parse(registry.operator.clientId)
  if (own === undefined) throw new Error('the administrator has no key')
  expect(await registeredKeys.slots.insert({ id: `${owner} 1`, owner, number: 1, keyId: own.id, handle: own.handle })).toBe('inserted')
  const found = await findRegisteredKeys({ registeredKeys }, owner)
  expect(found.map((key) => key.owner)).toEqual([owner])
})
