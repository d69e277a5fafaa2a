import { expect, test } from 'vitest'
import { RULES } from '../../src/move/belongings.js'
import { registryCollections } from '../../src/move/collections.js'
import type { WholeStorage } from '../../src/storage/holdings.js'
import { startRegistry } from '../registry.js'

test.runIf(process.env.CREDENCE_TEST_STORE !== 'mongodb')(
  'what is moved and migrated is every collection that a registry declares',
  async () => {
    await using registry = await startRegistry({ servers: 1 })
    const storage = registry.storage as WholeStorage // what startRegistry opens
    expect(await storage.holdings.collections()).toEqual(registryCollections().map(({ name }) => name))
  },
)

test('of every collection it is said whose its documents are', () => {
  expect(registryCollections().filter(({ name }) => RULES[name] === undefined)).toEqual([])
})
