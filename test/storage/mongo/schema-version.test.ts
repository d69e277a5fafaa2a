// SCHEMA_VERSION must be raised with any change of the collections, validators or indexes. Otherwise the next release starts on a deployment that
// was not migrated.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { COLLECTIONS } from '../../../src/operations/collections.js'
import { allSchemas } from '../../../src/storage/mongo/admin/migrate.js'
import type { CollectionSchema } from '../../../src/storage/mongo/ensure-schema.js'
import { SCHEMA_VERSION } from '../../../src/storage/mongo/schema-version.js'

/** The digest of the newest version. Earlier versions need none: `admin migrate` compares with the stored schemas. */
const PINNED = { version: 1, digest: 'HYZn7hx1xFY0CBIk2C6a1N2DmoDSno9w4UK32De6Iak' }

/** Independent of the order of collections and indexes, but not of the order of the fields of an index. */
const digestOf = (schemas: readonly CollectionSchema[]): string =>
  createHash('sha256')
    .update(
      JSON.stringify(
        [...schemas].sort(byName).map((schema) => ordered({ ...schema, indexes: [...schema.indexes].sort(byName).map(withKeyList) })),
      ),
    )
    .digest('base64url')

const byName = (a: { readonly name?: string }, b: { readonly name?: string }) => (String(a.name) < String(b.name) ? -1 : 1)
const withKeyList = (index: CollectionSchema['indexes'][number]) => ({ ...index, key: Object.entries(index.key) })
const ordered = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return fields.map(([name, member]) => [name, ordered(member)])
}

/** What the developer must do, or `nothing`. */
function instructions(schemas: readonly CollectionSchema[], version: number, pinned = PINNED): string {
  const digest = digestOf(schemas)
  if (digest === pinned.digest && version === pinned.version) return 'nothing'
  const pin = `then pin { version: ${version > pinned.version ? version : pinned.version + 1}, digest: '${digest}' } in test/storage/mongo/schema-version.test.ts`
  if (version > pinned.version)
    return `SCHEMA_VERSION was raised to ${version}: say in CHANGELOG.md that deployments need admin migrate, ${pin}`
  return `The schemas have changed. Raise SCHEMA_VERSION in src/storage/mongo/schema-version.ts to ${pinned.version + 1}, check that admin migrate plans the change (test/storage/mongo/admin/migrate.test.ts), ${pin}`
}

const schemas = allSchemas(COLLECTIONS)

test('the schemas are those of SCHEMA_VERSION', () => {
  expect(instructions(schemas, SCHEMA_VERSION)).toBe('nothing')
})

const [first, ...others] = schemas
if (first === undefined) throw new Error('there are no schemas')
const changed = (change: Partial<CollectionSchema>): readonly CollectionSchema[] => [{ ...first, ...change }, ...others]
const index = { name: 'new', key: { 'f.one': 1, 'f.two': 1 } }

test.each<[string, readonly CollectionSchema[], readonly CollectionSchema[]]>([
  ['a new collection', schemas, [...schemas, { ...first, name: 'new' }]],
  ['a new index', schemas, changed({ indexes: [...first.indexes, index] })],
  [
    'another order of the fields of an index',
    changed({ indexes: [index] }),
    changed({ indexes: [{ ...index, key: { 'f.two': 1, 'f.one': 1 } }] }),
  ],
  ['an index that becomes unique', changed({ indexes: [index] }), changed({ indexes: [{ ...index, unique: true }] })],
  [
    'another expiry',
    changed({ indexes: [{ ...index, expireAfterSeconds: 0 }] }),
    changed({ indexes: [{ ...index, expireAfterSeconds: 1 }] }),
  ],
  ['another type of a field', schemas, changed({ validator: { $jsonSchema: { properties: { f: { bsonType: 'string' } } } } })],
])('%s is detected, and the message says what to do', (_, before, after) => {
  const pinned = { version: 7, digest: digestOf(before) }
  expect(instructions(after, 7, pinned)).toMatch(
    /Raise SCHEMA_VERSION in src\/storage\/mongo\/schema-version.ts to 8, .* pin \{ version: 8, digest: '[\w-]{43}' \}/,
  )
  expect(instructions(after, 8, pinned)).toMatch(/SCHEMA_VERSION was raised to 8: .* pin \{ version: 8, digest: '[\w-]{43}' \}/)
  expect(instructions(before, 7, pinned)).toBe('nothing')
})

test('the order of collections and indexes does not matter', () => {
  expect(digestOf([...schemas].reverse())).toBe(digestOf(schemas))
  expect(digestOf(changed({ indexes: [...first.indexes].reverse() }))).toBe(digestOf(schemas))
})
