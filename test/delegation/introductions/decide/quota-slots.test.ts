import { expect, test } from 'vitest'
import { requireSlot } from '../../../../src/delegation/introductions/decide/quota-slots.js'
import { MAX_PENDING } from '../../../../src/delegation/introductions/introduction.js'
import { introductionsStore } from '../../../../src/delegation/introductions/store.js'
import { systemRandom as random } from '../../../../src/lib/random.js'
import { newId } from '../../../../src/protocol/ids.js'
import { reasonOf } from '../../../stories/actors.js'
import { openLogs } from '../../../trust-log/open-logs.js'

test('requests at once want different places; each is one that is free, until there is none', async () => {
  await using logs = await openLogs()
  const introductions = introductionsStore({ storage: logs.storage, trustLog: await logs.open(), random })
  const from = newId(random, 'agt')
  const wanted = () => requireSlot(introductions, { id: newId(random, 'int'), from })
  const atOnce = await Promise.all(Array.from({ length: 200 }, wanted))
  expect(new Set(atOnce).size).toBeGreaterThan(MAX_PENDING / 2)
  const until = logs.clock.now() + 10
  for (let i = 0; i < MAX_PENDING; i++) {
    const n = await wanted()
    expect(await introductions.places.insert({ id: `${from} ${n}`, from, n, introductionId: newId(random, 'int'), until })).toBe('inserted')
  }
  expect(await reasonOf(wanted())).toBe('conflict')
  logs.clock.advance(10)
  expect(await wanted()).toBeLessThan(MAX_PENDING)
})
