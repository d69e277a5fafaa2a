import { expect, test } from 'vitest'
import { indexingCard } from '../../../src/storage/storage.js'
import { aRow, fill } from '../contract/cards.js'
import { openStore } from '../open-store.js'

test('words without a card do not hide words of cards, whether the card was removed, rewritten or hidden', async () => {
  await using store = await openStore()
  const { storage } = store
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  const words = Array.from({ length: 230 }, (_, i) => `trana${letters[Math.floor(i / 26)]}${letters[i % 26]}`).join(' ')
  const suggested = () => storage.cards.suggest('public', 'tran', 10)
  await fill(storage, [aRow('kept', { description: 'translation' })])
  const [one, other] = [aRow('a', { description: words }), aRow('b', { description: words })]
  await fill(storage, [one, other])
  expect(await suggested()).toHaveLength(10)
  await storage.commit([indexingCard('a', [])])
  expect(await suggested()).toHaveLength(10)
  await fill(storage, [aRow('b', { description: 'other' })])
  expect(await suggested()).toEqual(['translation'])
  await fill(storage, [one])
  expect(await suggested()).toHaveLength(10)
  await fill(storage, [{ ...one, tier: 'introduced' }])
  expect(await suggested()).toEqual(['translation'])
  // The form of a word changes, its term does not
  await fill(storage, [aRow('kept', { description: 'translations' })])
  expect(await suggested()).toEqual(['translations'])
})
