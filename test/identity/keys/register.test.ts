import { expect, test } from 'vitest'
import { z } from 'zod'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newEs256Signer, proveKey, type Signer } from '../../../src/credentials/jose/sign.js'
import { firstSlots, MAX_KEYS, requireSlots } from '../../../src/identity/keys/quota-slots.js'
import { newRegisteredKey } from '../../../src/identity/keys/register.js'
import { registeredKeysStore } from '../../../src/identity/keys/store.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { newId } from '../../../src/protocol/ids.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock, setClock } from '../../set-clock.js'
import { openStore } from '../../storage/open-store.js'
import { reasonOf } from '../../stories/actors.js'
import { end, openLogs } from '../../trust-log/open-logs.js'

const registering = (registry: Registry, by: Registry['operator'], owner: string) => async (signer: Signer) => {
  const proof = await proveKey({ signer, clock: registry.clock, random }, { issuer: registry.issuer, owner })
  return reasonOf(by.mutate('keys.register', { owner, use: 'client', jwk: signer.publicJwk, proof }))
}
const count = (answers: readonly string[]) =>
  Object.fromEntries([...new Set(answers)].map((one) => [one, answers.filter((a) => a === one).length]))

test('one owner registers a key once, however many ask at once, and again when it has ended', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const admin = await registry.organisation('Acme')
  const { agentId } = await registry.agent({ of: admin })
  const register = registering(registry, admin, agentId)
  const signer = await newEs256Signer()
  const standing = async () => {
    const { items } = await admin.query<{ items: { keyId: string; jkt: string; state: string }[] }>('keys.list', {
      owner: agentId,
    })
    return items.filter(({ jkt, state }) => jkt === thumbprint(signer.publicJwk) && state === 'active')
  }
  for (const _ of ['first', 'again']) {
    expect(count(await Promise.all(Array.from({ length: 20 }, () => register(signer))))).toEqual({ done: 1, already_exists: 19 })
    const [key, ...more] = await standing()
    expect(more).toEqual([])
    await admin.mutate('keys.revoke', { keyId: key?.keyId })
  }
  expect(await standing()).toEqual([])
})

test('one owner has so many keys at most, however many ask at once; one that ended makes room', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const admin = await registry.organisation('Acme')
  const { agentId } = await registry.agent({ of: admin })
  const register = registering(registry, admin, agentId)
  const signers = await Promise.all(Array.from({ length: MAX_KEYS + 4 }, newEs256Signer))
  expect(count(await Promise.all(signers.map(register)))).toEqual({ done: MAX_KEYS - 1, conflict: 5 })
  const { items } = await admin.query<{ items: { keyId: string }[] }>('keys.list', { owner: agentId })
  expect(items).toHaveLength(MAX_KEYS)
  await admin.mutate('keys.revoke', { keyId: items[7]?.keyId })
  const fresh = [await newEs256Signer(), await newEs256Signer()]
  expect(count(await Promise.all(fresh.map(register)))).toEqual({ done: 1, conflict: 1 })
})

test('a store of an earlier build is opened, also where one key was registered twice; its keys count', async () => {
  await using store = await openStore()
  const key = await newEs256Signer()
  const jkt = thumbprint(key.publicJwk)
  const owner = newId(random, 'agt')
  const make = (text: string) => {
    const of = { owner, orgId: newId(random, 'org'), use: 'client' as const, grantedBy: [], at: 1 }
    const { registeredKey } = newRegisteredKey({ random }, { ...of, key: { jwk: key.publicJwk, alg: key.alg, jkt } })
    return { ...registeredKey, place: `${owner} ${text}` }
  }
  const [ended, standing] = [make(jkt), make(jkt)]
  const earlier = store.storage.collection({
    name: 'registered-keys',
    schema: z.looseObject({
      id: z.string(),
      owner: z.string(),
      at: z.int(),
      place: z.string(),
      grantedBy: z.array(z.string()),
      endsAt: z.int().optional(),
    }),
    key: 'id',
    indexes: {
      owner: { fields: ['owner', 'at'] },
      place: { fields: ['place', 'at'] },
      grantedBy: { fields: ['grantedBy', 'at'] },
      retired: { fields: ['endsAt'] },
    },
  })
  for (const one of [ended, standing]) expect(await earlier.insert(one)).toBe('inserted')
  await store.storage.close()
  const storage = await openSqlite({ file: store.file, clock: setClock() })
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const registeredKeys = registeredKeysStore({ storage, trustLog, random })
  await end(trustLog, ended.handle)
  expect(await reasonOf(requireSlots({ registeredKeys, trustLog }, owner, jkt))).toBe('already_exists')
  expect(await registeredKeys.collection.change(standing.id, {}, { retiresAt: 5, endsAt: 6 })).toMatchObject({ endsAt: 6 })
  await end(trustLog, standing.handle)
  expect(await requireSlots({ registeredKeys, trustLog }, owner, jkt)).toEqual(firstSlots(owner, jkt))
  await storage.close()
})
