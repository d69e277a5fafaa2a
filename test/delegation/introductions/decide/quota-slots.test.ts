import { expect, test } from 'vitest'
import { requireFreeSlot } from '../../../../src/delegation/introductions/decide/quota-slots.js'
import { MAX_PENDING } from '../../../../src/delegation/introductions/introduction.js'
import { introductionsStore } from '../../../../src/delegation/introductions/store.js'
import { systemRandom as random } from '../../../../src/lib/random.js'
import { newId } from '../../../../src/protocol/ids.js'
import { reasonOf } from '../../../stories/actors.js'
import { openLogs } from '../../../trust-log/open-logs.js'

test('concurrent requests pick different free slots, and a request without a free slot gets conflict until a slot expires', async () => {
  await using logs = await openLogs()
  const introductions = introductionsStore({ storage: logs.storage, trustLog: await logs.open() })
  const from = newId(random, 'agt')
  const pickSlot = () => requireFreeSlot(introductions, { id: newId(random, 'int'), from })
  const picked = await Promise.all(Array.from({ length: 200 }, pickSlot))
  expect(new Set(picked).size).toBeGreaterThan(MAX_PENDING / 2)
  const expiresAt = logs.clock.now() + 10
  for (let i = 0; i < MAX_PENDING; i++) {
    const slot = await pickSlot()
    expect(
      await introductions.requestSlots.insert({ id: `${from} ${slot}`, from, slot, introductionId: newId(random, 'int'), expiresAt }),
    ).toBe('inserted')
  }
  expect(await reasonOf(pickSlot())).toBe('conflict')
  logs.clock.advance(10)
  expect(await pickSlot()).toBeLessThan(MAX_PENDING)
})
