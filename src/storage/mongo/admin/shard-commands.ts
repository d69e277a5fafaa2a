// How a deployment is spread over shards. What must be unique is unique on each shard alone, so every unique index begins with its shard key:
// then all that could clash lie on one shard.

import type { Declared } from '../ensure-schema.js'
import { DECLARATIONS } from '../format.js'
import { LOG_COLLECTION } from '../stored-block.js'
import { databaseOf } from '../url.js'

export type ShardKey = Readonly<Record<string, 'hashed'>>

/** Not split: they lie together on the database's primary shard. */
const UNSHARDED: Readonly<Record<string, string>> = {
  [LOG_COLLECTION]: 'one order for all: block numbers, the fence and the change stream are of one collection on one shard',
  [DECLARATIONS]: 'a handful',
  halves: 'what is under way: few, and read by their age',
  'registry-keys': 'a handful, unique by use and number',
  'registry-secrets': 'a handful',
  'audit-writers': 'one a start of an instance',
}

/** Not by their own id. */
const BY: Readonly<Record<string, ShardKey>> = {
  // Its id is made of agent and number, which are unique: so ids are too, though they are not the key
  inbox: { 'f.agentId': 'hashed' },
}

/** The hashed id of a document, so that what is written at once is spread; undefined where a collection stays whole. */
export const shardKeyOf = (name: string): ShardKey | undefined =>
  UNSHARDED[name] === undefined ? (BY[name] ?? { _id: 'hashed' }) : undefined

/** Of the shell (mongosh), in order. The hashed index is made first: a collection that holds documents needs it there. */
export function shardCommands(url: string, declared: readonly Declared[]): readonly string[] {
  const database = databaseOf(url)
  return declared.flatMap(({ name }) => {
    const key = shardKeyOf(name)
    if (key === undefined) return [`// ${name} stays whole: ${UNSHARDED[name]}`]
    const json = JSON.stringify(key)
    return [`db.getSiblingDB("${database}")["${name}"].createIndex(${json})`, `sh.shardCollection("${database}.${name}", ${json})`]
  })
}
