import { expect, test } from 'vitest'
import { indexingCard } from '../../../src/storage/storage.js'
import { aRow, cardsOf, fill, search } from '../contract/cards.js'
import { openStore } from '../open-store.js'

test('the words of one card, however many, hide no word that more cards have, and a misspelt one is found', async () => {
  await using store = await openStore()
  const { storage } = store
  const letters = 'abcdefghijklmnopqrstuvwxyz'
  const words = Array.from({ length: 676 }, (_, i) => `inv${letters[Math.floor(i / 26)]}${letters[i % 26]}`).join(' ')
  await fill(storage, [aRow('a', { description: words }), aRow('b', { description: 'invoice' }), aRow('c', { description: 'an invoice' })])
  expect(await storage.cards.suggest('public', 'inv', 10)).toContain('invoice')
  expect(cardsOf(await search(storage, 'invoic')).sort()).toEqual(['b', 'c'])
  expect(cardsOf(await search(storage, 'invoyce')).sort()).toEqual(['b', 'c'])
})

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
