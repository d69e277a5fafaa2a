import { expect, test } from 'vitest'
import { registryCollections } from '../../src/operations/collections.js'
import type { ReadableStorage } from '../../src/storage/bulk.js'
import { startRegistry } from '../registry.js'

test.runIf(process.env.CREDENCE_TEST_STORE !== 'mongodb')(
  'what is moved and migrated is every collection that a registry declares',
  async () => {
    await using registry = await startRegistry({ servers: 1 })
    const storage = registry.storage as ReadableStorage // what startRegistry opens
    expect(await storage.holdings.collections()).toEqual(registryCollections().map(({ name }) => name))
  },
)
