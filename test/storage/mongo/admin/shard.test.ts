import { expect, test } from 'vitest'
import { COLLECTIONS } from '../../../../src/operations/collections.js'
import { allSchemas, shardCommands, shardKeyOf } from '../../../../src/storage/mongo/admin/shard-commands.js'

const schemas = allSchemas(COLLECTIONS)

test.each(schemas.map((schema) => [schema.name, schema] as const))('unique indexes of %s begin with its shard key', (name, { indexes }) => {
  const key = shardKeyOf(name)
  if (key === undefined) return
  const fields = Object.keys(key)
  const unique = indexes.filter((index) => index.unique === true)
  for (const index of unique) expect(Object.keys(index.key).slice(0, fields.length)).toEqual(fields)
})

test('of the sharded collections only inbox, webhooks and approvals have a shard key other than their id', () => {
  const others = schemas.filter(({ name }) => !('_id' in (shardKeyOf(name) ?? { _id: 'hashed' }))).map(({ name }) => name)
  expect(others.sort()).toEqual(['approvals', 'inbox', 'webhooks'])
})

test('there is a command for each collection, with the database of the URL', () => {
  const commands = shardCommands('mongodb://a:1,b:2/my-registry?replicaSet=rs0', COLLECTIONS)
  expect(commands).toContain('sh.shardCollection("my-registry.tokens", {"_id":"hashed"})')
  expect(commands).toContain('sh.shardCollection("my-registry.inbox", {"f.agentId":"hashed"})')
  expect(commands.filter((command) => command.startsWith('// log-blocks is not sharded'))).toHaveLength(1)
  for (const { name } of schemas) expect(commands.join('\n')).toContain(name)
})

test('the collections that are not sharded exist', () => {
  const names = [...schemas.map(({ name }) => name), 'schemas']
  const unsharded = names.filter((name) => shardKeyOf(name) === undefined)
  expect(unsharded.sort()).toEqual(['audit-writers', 'log-blocks', 'registry-secrets', 'schemas', 'signing-keys'])
})
