import { expect, test } from 'vitest'
import { COLLECTIONS } from '../../../../src/operations/collections.js'
import { shardDeployment } from '../../../../src/operations/migrate.js'
import { allSchemas } from '../../../../src/storage/mongo/admin/migrate.js'
import { shardKeyOf } from '../../../../src/storage/mongo/admin/shard-commands.js'

const declared = allSchemas(COLLECTIONS)

test.each(declared.map((one) => [one.name, one] as const))('unique indexes of %s begin with its shard key', (name, { indexes }) => {
  const key = shardKeyOf(name)
  if (key === undefined) return
  const fields = Object.keys(key)
  const unique = indexes.filter((index) => index.unique === true)
  for (const index of unique) expect(Object.keys(index.key).slice(0, fields.length)).toEqual(fields)
})

test('an id that is not the shard key is kept unique on its own shard only: so it is made of what is unique', () => {
  const others = declared.filter(({ name }) => !('_id' in (shardKeyOf(name) ?? { _id: 'hashed' }))).map(({ name }) => name)
  expect(others).toEqual(['inbox'])
})

test('a command for each collection, of the database that the URL names', () => {
  const commands = shardDeployment('mongodb://a:1,b:2/my-registry?replicaSet=rs0')
  expect(commands).toContain('sh.shardCollection("my-registry.tokens", {"_id":"hashed"})')
  expect(commands).toContain('sh.shardCollection("my-registry.inbox", {"f.agentId":"hashed"})')
  expect(commands.filter((one) => one.startsWith('// log-blocks stays whole'))).toHaveLength(1)
  for (const { name } of declared) expect(commands.join('\n')).toContain(name)
})

test('the names that stay whole are those of collections', () => {
  const names = [...declared.map(({ name }) => name), 'declarations']
  const whole = names.filter((name) => shardKeyOf(name) === undefined)
  expect(whole.sort()).toEqual(['audit-writers', 'declarations', 'halves', 'log-blocks', 'registry-secrets', 'signing-keys'])
})
