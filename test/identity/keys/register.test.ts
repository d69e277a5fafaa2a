import { expect, test } from 'vitest'
import { z } from 'zod'
import { thumbprint } from '../../../src/credentials/jose/jwk.js'
import { newEs256Signer, proveEnrolment, type Signer } from '../../../src/credentials/jose/sign.js'
import { firstPlaces, MAX_KEYS, requirePlaces } from '../../../src/identity/keys/quota-slots.js'
import { newEnrolment } from '../../../src/identity/keys/register.js'
import { enrolmentsStore } from '../../../src/identity/keys/store.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { newId } from '../../../src/protocol/ids.js'
import { openSqlite } from '../../../src/storage/sqlite/open.js'
import { type Registry, startRegistry } from '../../registry.js'
import { runningClock, setClock } from '../../set-clock.js'
import { openStore } from '../../storage/open-store.js'
import { reasonOf } from '../../stories/actors.js'
import { end, openLogs } from '../../trust-log/open-logs.js'

const enrolling = (registry: Registry, by: Registry['operator'], owner: string) => async (signer: Signer) => {
  const proof = await proveEnrolment({ signer, clock: registry.clock, random }, { issuer: registry.issuer, owner })
  return reasonOf(by.mutate('enrolments.enrol', { owner, use: 'client', jwk: signer.publicJwk, proof }))
}
const count = (answers: readonly string[]) =>
  Object.fromEntries([...new Set(answers)].map((one) => [one, answers.filter((a) => a === one).length]))

test('one owner enrols a key once, however many ask at once, and again when it has ended', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const admin = await registry.organisation('Acme')
  const { agentId } = await registry.agent({ of: admin })
  const enrol = enrolling(registry, admin, agentId)
  const signer = await newEs256Signer()
  const standing = async () => {
    const { items } = await admin.query<{ items: { enrolmentId: string; jkt: string; state: string }[] }>('enrolments.list', {
      owner: agentId,
    })
    return items.filter(({ jkt, state }) => jkt === thumbprint(signer.publicJwk) && state === 'active')
  }
  for (const _ of ['first', 'again']) {
    expect(count(await Promise.all(Array.from({ length: 20 }, () => enrol(signer))))).toEqual({ done: 1, already_exists: 19 })
    const [key, ...more] = await standing()
    expect(more).toEqual([])
    await admin.mutate('enrolments.end', { enrolmentId: key?.enrolmentId })
  }
  expect(await standing()).toEqual([])
})

test('one owner has so many keys at most, however many ask at once; one that ended makes room', async () => {
  await using registry = await startRegistry({ clock: runningClock() })
  const admin = await registry.organisation('Acme')
  const { agentId } = await registry.agent({ of: admin })
  const enrol = enrolling(registry, admin, agentId)
  const signers = await Promise.all(Array.from({ length: MAX_KEYS + 4 }, newEs256Signer))
  expect(count(await Promise.all(signers.map(enrol)))).toEqual({ done: MAX_KEYS - 1, conflict: 5 })
  const { items } = await admin.query<{ items: { enrolmentId: string }[] }>('enrolments.list', { owner: agentId })
  expect(items).toHaveLength(MAX_KEYS)
  await admin.mutate('enrolments.end', { enrolmentId: items[7]?.enrolmentId })
  const fresh = [await newEs256Signer(), await newEs256Signer()]
  expect(count(await Promise.all(fresh.map(enrol)))).toEqual({ done: 1, conflict: 1 })
})

test('a store of an earlier build is opened, also where one key was enrolled twice; its keys count', async () => {
  await using store = await openStore()
  const key = await newEs256Signer()
  const jkt = thumbprint(key.publicJwk)
  const owner = newId(random, 'agt')
  const make = (text: string) => {
    const of = { owner, orgId: newId(random, 'org'), use: 'client' as const, by: [], at: 1 }
    const { enrolment } = newEnrolment({ random }, { ...of, key: { jwk: key.publicJwk, alg: key.alg, jkt } })
    return { ...enrolment, place: `${owner} ${text}` }
  }
  const [ended, standing] = [make(jkt), make(jkt)]
  const earlier = store.storage.collection({
    name: 'enrolments',
    schema: z.looseObject({
      id: z.string(),
      owner: z.string(),
      at: z.int(),
      place: z.string(),
      by: z.array(z.string()),
      endsAt: z.int().optional(),
    }),
    key: 'id',
    indexes: {
      owner: { fields: ['owner', 'at'] },
      place: { fields: ['place', 'at'] },
      by: { fields: ['by', 'at'] },
      retired: { fields: ['endsAt'] },
    },
  })
  for (const one of [ended, standing]) expect(await earlier.insert(one)).toBe('inserted')
  await store.storage.close()
  const storage = await openSqlite({ file: store.file, clock: setClock() })
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const enrolments = enrolmentsStore({ storage, trustLog, random })
  await end(trustLog, ended.handle)
  expect(await reasonOf(requirePlaces({ enrolments, trustLog }, owner, jkt))).toBe('already_exists')
  expect(await enrolments.collection.change(standing.id, {}, { retiresAt: 5, endsAt: 6 })).toMatchObject({ endsAt: 6 })
  await end(trustLog, standing.handle)
  expect(await requirePlaces({ enrolments, trustLog }, owner, jkt)).toEqual(firstPlaces(owner, jkt))
  await storage.close()
})
