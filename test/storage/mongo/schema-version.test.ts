// SCHEMA_VERSION must be raised with any change of the collections or their indexes, so that older releases do not start on the deployment again.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { COLLECTIONS } from '../../../src/operations/collections.js'
import { allSchemas } from '../../../src/storage/mongo/admin/shard-commands.js'
import { SCHEMA_VERSION } from '../../../src/storage/mongo/schema-version.js'

const PINNED = { version: 6, digest: 'VgMZzNBiHp9xssf00sy_IHhSqI7ZeNOw_L03wvUUgCY' }

const digestOf = (schemas: object): string => createHash('sha256').update(JSON.stringify(schemas)).digest('base64url')

test('the collections and indexes are those of SCHEMA_VERSION; after a change, raise it in schema-version.ts and pin the new digest here', () => {
  expect({ version: SCHEMA_VERSION, digest: digestOf(allSchemas(COLLECTIONS)) }).toEqual(PINNED)
})
