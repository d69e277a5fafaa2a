import { expect, test } from 'vitest'
import type { ZodObject } from 'zod'
import { COLLECTIONS } from '../../src/operations/collections.js'
import type { BulkReadableStorage } from '../../src/storage/bulk.js'
import { startRegistry } from '../registry.js'

test.runIf(process.env.CREDENCE_TEST_STORE !== 'mongodb')('COLLECTIONS lists every collection that a running registry opens', async () => {
  await using registry = await startRegistry({ servers: 1 })
  const storage = registry.storage as BulkReadableStorage // startRegistry opens a SQLite file here
  expect(await storage.bulk.collections()).toEqual(COLLECTIONS.map(({ name }) => name).sort())
})

test.each(COLLECTIONS.map((spec) => [spec.name, spec] as const))('the collection %s declares who owns its documents', (_, spec) => {
  const fields = Object.keys((spec.schema as unknown as ZodObject).shape)
  if (spec.ownedBy === 'registry') return
  expect(spec.ownedBy.length).toBeGreaterThan(0)
  expect(fields).toEqual(expect.arrayContaining([...spec.ownedBy]))
})

test('agents, members and organisations are erased last, because the other documents are found by their ids', () => {
  expect(COLLECTIONS.slice(-3).map(({ name }) => name)).toEqual(['agents', 'members', 'organisations'])
})
