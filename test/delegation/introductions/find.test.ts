import { expect, test } from 'vitest'
import { findGranted, findIntroducedTo } from '../../../src/delegation/introductions/find.js'
import { type Introduction, introductionsStore } from '../../../src/delegation/introductions/store.js'
import { systemRandom as random } from '../../../src/lib/random.js'
import { newId } from '../../../src/protocol/ids.js'
import { Scope } from '../../../src/protocol/rights.js'
import { aHandle, end, openLogs } from '../../trust-log/open-logs.js'

test('what was denied, has ended or expired pushes out nothing that stands', async () => {
  await using logs = await openLogs()
  const trustLog = await logs.open()
  const introductions = introductionsStore({ storage: logs.storage, trustLog, random })
  const [from, to, other] = [newId(random, 'agt'), newId(random, 'agt'), newId(random, 'agt')]
  const now = logs.clock.now()
  const bounds = { scopes: [Scope.parse('ocr:read')] }
  const add = async (changes: Partial<Introduction>): Promise<Introduction> => {
    const id = newId(random, 'int')
    const parties = { from, to, fromOrg: newId(random, 'org'), toOrg: newId(random, 'org'), pair: `${from} ${to}` }
    const asked = { purpose: 'x', requested: bounds, skills: [], seconds: 60, at: now, pendingUntil: now + 60 }
    const granted = {
      state: 'granted' as const,
      bounds,
      pinnedVersions: [aHandle('ver')],
      dependsOn: [],
      grantedBy: [],
      grantedAt: now,
      expiresAt: now + 1000,
    }
    const one = { id, ...parties, ...asked, ...granted, handle: aHandle('int'), ver: aHandle('ver'), ...changes }
    expect(await introductions.collection.insert(one)).toBe('inserted')
    return one
  }
  const mine = await add({ expiresAt: now + 500 })
  const theirs = await add({ to: other, pair: `${from} ${other}`, expiresAt: now + 500 })
  const crowd = { at: now + 1, to, pair: mine.pair }
  const many = (changes: Partial<Introduction>) => Promise.all(Array.from({ length: 210 }, () => add({ ...crowd, ...changes })))
  await many({ state: 'denied' })
  await many({ state: 'pending' })
  await many({ state: 'ended' })
  await many({ expiresAt: now })
  await end(trustLog, ...(await many({})).map(({ handle }) => handle))
  const deps = { introductions, trustLog }
  expect((await findGranted(deps, from, to)).map(({ id }) => id)).toEqual([mine.id])
  expect((await findGranted(deps, from, other)).map(({ id }) => id)).toEqual([theirs.id])
  expect(new Set((await findIntroducedTo(deps, from)).keys())).toEqual(new Set([to, other]))
  const third = newId(random, 'agt')
  const [older, newer] = [1, 2].map((at) => ({ to: third, pair: `${from} ${third}`, at: now + at, expiresAt: now + 600 - at * 100 }))
  const ids = [await add({ ...newer }), await add({ ...older })].map(({ id }) => id)
  expect((await findGranted(deps, from, third)).map(({ id }) => id)).toEqual(ids)
})
