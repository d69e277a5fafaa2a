// Sharding of a deployment. The server enforces a unique index on each shard separately. So every unique index begins with the shard key of its
// collection: documents that could conflict are then on the same shard.
import type { Doc, Spec } from '../../storage.js'
import { COUNTERS } from '../counters.js'
import { type CollectionSchema, schemaOf } from '../ensure-schema.js'
import { LOG } from '../log.js'
import { SCHEMAS } from '../schema-version.js'
import { CARD_ROWS } from '../search/card-search.js'
import { CARD_WORDS } from '../search/card-words.js'
import { LOG_COLLECTION } from '../stored-block.js'
import { databaseOf } from '../url.js'

type ShardKey = Readonly<Record<string, 'hashed'>>

/** Collections that are not sharded, with the reason. They stay on the primary shard of the database. */
const UNSHARDED: Readonly<Record<string, string>> = {
  [LOG_COLLECTION]: 'block numbers, the barrier write and the change stream need one collection on one shard',
  [SCHEMAS]: 'few documents',
  'signing-keys': 'few documents, unique by use and version',
  'registry-secrets': 'few documents',
  'audit-writers': 'one document for each start of an instance',
}

/** Collections that are not sharded by `_id`. */
const OTHER_SHARD_KEYS: Readonly<Record<string, ShardKey>> = {
  // The id consists of agent id and position, so it is unique although the server cannot enforce that across shards
  inbox: { 'f.agentId': 'hashed' },
  // Their ids are random; what is unique is so within one organisation or one requester
  webhooks: { 'f.orgId': 'hashed' },
  approvals: { 'f.from': 'hashed' },
}

/** The shard key of a collection, by default the hashed `_id`, which spreads concurrent writes. Undefined if the collection is not sharded. */
export const shardKeyOf = (name: string): ShardKey | undefined =>
  UNSHARDED[name] === undefined ? (OTHER_SHARD_KEYS[name] ?? { _id: 'hashed' }) : undefined

/** All collections of a deployment except `schemas`. */
export const allSchemas = (specs: readonly Spec<Doc>[]): readonly CollectionSchema[] => [
  ...specs.map(schemaOf),
  LOG,
  CARD_ROWS,
  CARD_WORDS,
  COUNTERS,
]

/** Commands for mongosh, in order. Each hashed index is created first, because a collection with documents cannot be sharded without it. */
export function shardCommands(url: string, specs: readonly Spec<Doc>[]): readonly string[] {
  const database = databaseOf(url)
  return allSchemas(specs).flatMap(({ name }) => {
    const key = shardKeyOf(name)
    if (key === undefined) return [`// ${name} is not sharded: ${UNSHARDED[name]}`]
    const json = JSON.stringify(key)
    return [`db.getSiblingDB("${database}")["${name}"].createIndex(${json})`, `sh.shardCollection("${database}.${name}", ${json})`]
  })
}
