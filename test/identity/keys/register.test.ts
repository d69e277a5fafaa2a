import { expect, test } from 'vitest'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newEs256Signer, proveKey, type Signer } from '../../../src/credentials/jose/sign.js'
import { firstSlots, MAX_KEYS, requireSlots } from '../../../src/identity/keys/quota-slots.js'
import { newRegisteredKey } from '../../../src/identity/keys/register.js'
import { registeredKeysStore } from '../../../src/identity/keys/store.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { newId } from '../../../src/protocol/ids.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock } from '../../set-clock.js'
import { reasonOf } from '../../stories/actors.js'
import { end, openLogs } from '../../trust-log/open-logs.js'

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

test('a key without a slot counts until it is revoked', async () => {
  const key = await newEs256Signer()
  const jkt = thumbprint(key.publicJwk)
  const owner = newId(random, 'agt')
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const registeredKeys = registeredKeysStore({ storage: logs.storage, trustLog, random })
  const terms = { owner, orgId: newId(random, 'org'), use: 'client' as const, grantedBy: [], registeredAt: 1 }
  const { registeredKey } = newRegisteredKey({ random }, { ...terms, key: { jwk: key.publicJwk, alg: key.alg, jkt } })
  expect(await registeredKeys.collection.insert(registeredKey)).toBe('inserted')
  expect(await reasonOf(requireSlots({ registeredKeys, trustLog }, owner, jkt))).toBe('already_exists')
  await end(trustLog, registeredKey.handle)
  expect(await requireSlots({ registeredKeys, trustLog }, owner, jkt)).toEqual(firstSlots(owner, jkt))
})
