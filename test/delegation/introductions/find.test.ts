import { expect, test } from 'vitest'
import { findGranted, findIntroducedTo } from '../../../src/delegation/introductions/find.js'
import { type Introduction, introductionsStore } from '../../../src/delegation/introductions/store.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { newId } from '../../../src/protocol/ids.js'
import { Scope } from '../../../src/protocol/rights.js'
import { aHandle, end, openLogs } from '../../trust-log/open-logs.js'

test('a valid introduction is found behind more denied, pending, revoked and expired ones than one read returns', async () => {
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const introductions = introductionsStore({ storage: logs.storage, trustLog })
  const [from, to, other] = [newId(random, 'agt'), newId(random, 'agt'), newId(random, 'agt')]
  const now = logs.clock.now()
  const bounds = { scopes: [Scope.parse('ocr:read')] }
  const add = async (changes: Partial<Introduction>): Promise<Introduction> => {
    const id = newId(random, 'int')
    const sides = { from, to, fromOrg: newId(random, 'org'), toOrg: newId(random, 'org'), pair: `${from} ${to}` }
    const request = {
      purpose: 'x',
      requested: bounds,
      skills: [],
      seconds: 60,
      createdAt: now,
      revision: 0,
      changedAt: now,
      pendingUntil: now + 60,
    }
    const granted = {
      state: 'granted' as const,
      bounds,
      reliance: { interfaces: [], security: 'x'.repeat(43), scopes: [], skills: [], publication: 'x', versions: [] },
      dependsOn: [],
      grantedBy: [],
      grantedAt: now,
      expiresAt: now + 1000,
    }
    const introduction = { id, ...sides, ...request, ...granted, handle: aHandle('int'), boundsVersion: aHandle('ver'), ...changes }
    expect(await introductions.insert(introduction)).toBe('inserted')
    return introduction
  }
  const standing = await add({ expiresAt: now + 500 })
  const toOther = await add({ to: other, pair: `${from} ${other}`, expiresAt: now + 500 })
  const samePair = { createdAt: now + 1, to, pair: standing.pair }
  const addMany = (changes: Partial<Introduction>) => Promise.all(Array.from({ length: 210 }, () => add({ ...samePair, ...changes })))
  await addMany({ state: 'denied' })
  await addMany({ state: 'pending' })
  await addMany({ state: 'ended' })
  await addMany({ expiresAt: now })
  await end(trustLog, ...(await addMany({})).map(({ handle }) => handle))
  const deps = { introductions, trustLog }
  expect((await findGranted(deps, from, to)).map(({ id }) => id)).toEqual([standing.id])
  expect((await findGranted(deps, from, other)).map(({ id }) => id)).toEqual([toOther.id])
  expect(new Set((await findIntroducedTo(deps, from)).keys())).toEqual(new Set([to, other]))
  const third = newId(random, 'agt')
  const [older, newer] = [1, 2].map((age) => ({
    to: third,
    pair: `${from} ${third}`,
    createdAt: now + age,
    expiresAt: now + 600 - age * 100,
  }))
  const ids = [await add({ ...newer }), await add({ ...older })].map(({ id }) => id)
  expect((await findGranted(deps, from, third)).map(({ id }) => id)).toEqual(ids)
})
