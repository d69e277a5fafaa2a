// Whoever changes what a deployment must have raises FORMAT: else the next build starts over a deployment that was never migrated.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { COLLECTIONS } from '../../../src/operations/collections.js'
import { allSchemas } from '../../../src/storage/mongo/admin/migrate.js'
import type { CollectionSchema } from '../../../src/storage/mongo/ensure-schema.js'
import { SCHEMA_VERSION } from '../../../src/storage/mongo/schema-version.js'

/** Of the newest format: what it declares. Earlier ones need none, `admin migrate` compares with what stands. */
const PINNED = { format: 1, digest: '5tqptpZYoaJsuWAJ1lEjAw5DmKKK8rZxWw5cziF7O6k' }

/** Of collections, validators and indexes, in whichever order they are named. Fields of an index keep theirs. */
const digestOf = (declared: readonly CollectionSchema[]): string =>
  createHash('sha256')
    .update(
      JSON.stringify([...declared].sort(byName).map((one) => ordered({ ...one, indexes: [...one.indexes].sort(byName).map(withKeyList) }))),
    )
    .digest('base64url')

const byName = (one: { readonly name?: string }, other: { readonly name?: string }) => (String(one.name) < String(other.name) ? -1 : 1)
const withKeyList = (index: CollectionSchema['indexes'][number]) => ({ ...index, key: Object.entries(index.key) })
const ordered = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return fields.map(([name, held]) => [name, ordered(held)])
}

/** What is to be done, in words. */
function complaint(declared: readonly CollectionSchema[], format: number, pinned = PINNED): string {
  const digest = digestOf(declared)
  if (digest === pinned.digest && format === pinned.format) return 'nothing'
  const next = `then pin { format: ${format > pinned.format ? format : pinned.format + 1}, digest: '${digest}' } in test/storage/mongo/format.test.ts`
  if (format > pinned.format) return `FORMAT was raised to ${format}: say in CHANGELOG.md that deployments need admin migrate, ${next}`
  return `What a deployment must have has changed. Raise FORMAT in src/storage/mongo/schema-version.ts to ${pinned.format + 1}, see that admin migrate plans the change (test/storage/mongo/admin/migrate.test.ts), ${next}`
}

const declared = allSchemas(COLLECTIONS)

test('what a deployment must have is what FORMAT stands for', () => {
  expect(complaint(declared, SCHEMA_VERSION)).toBe('nothing')
})

const [first, ...others] = declared
if (first === undefined) throw new Error('something is declared')
const changed = (change: Partial<CollectionSchema>): readonly CollectionSchema[] => [{ ...first, ...change }, ...others]
const index = { name: 'new', key: { 'f.one': 1, 'f.two': 1 } }

test.each<[string, readonly CollectionSchema[], readonly CollectionSchema[]]>([
  ['a collection more', declared, [...declared, { ...first, name: 'new' }]],
  ['an index more', declared, changed({ indexes: [...first.indexes, index] })],
  ['another order of its fields', changed({ indexes: [index] }), changed({ indexes: [{ ...index, key: { 'f.two': 1, 'f.one': 1 } }] })],
  ['an index that is unique now', changed({ indexes: [index] }), changed({ indexes: [{ ...index, unique: true }] })],
  [
    'another expiry',
    changed({ indexes: [{ ...index, expireAfterSeconds: 0 }] }),
    changed({ indexes: [{ ...index, expireAfterSeconds: 1 }] }),
  ],
  ['another kind of a field', declared, changed({ validator: { $jsonSchema: { properties: { f: { bsonType: 'string' } } } } })],
])('%s is noticed, and it is said what to do', (_, before, after) => {
  const pinned = { format: 7, digest: digestOf(before) }
  expect(complaint(after, 7, pinned)).toMatch(
    /Raise FORMAT in src\/storage\/mongo\/format.ts to 8, .* pin \{ format: 8, digest: '[\w-]{43}' \}/,
  )
  expect(complaint(after, 8, pinned)).toMatch(/FORMAT was raised to 8: .* pin \{ format: 8, digest: '[\w-]{43}' \}/)
  expect(complaint(before, 7, pinned)).toBe('nothing')
})

test('the order in which things are declared is none of it', () => {
  expect(digestOf([...declared].reverse())).toBe(digestOf(declared))
  expect(digestOf(changed({ indexes: [...first.indexes].reverse() }))).toBe(digestOf(declared))
})
