// Attacks that concern only MongoDB: injection into commands (recorded by the server's profiler), the size limit of documents, and the server's TTL
// removal. The other files of this folder cover all stores, and run over MongoDB too.
import type { Document } from 'mongodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemRandom } from '../../src/lib/random.js'
import { newHandle } from '../../src/protocol/handles.js'
import { newId } from '../../src/protocol/ids.js'
import { Block } from '../../src/protocol/log/entry.js'
import { parseConfig } from '../../src/server/config.js'
import { serve } from '../../src/server/main.js'
import { openMongo } from '../../src/storage/mongo/open.js'
import { newReplayCache } from '../../src/storage/replay-cache.js'
import { appendBlock } from '../../src/trust-log/block.js'
import { aCard, newCast } from '../registry.js'
import { setClock } from '../set-clock.js'
import { withDatabase } from '../storage/mongo/backup.js'
import { hasMongod, type Mongod, openMongoStore, startMongod } from '../storage/open-mongo.js'
import { tempFolder } from '../storage/open-store.js'
import { reasonOf } from '../stories/actors.js'

const attack = test.skipIf(!hasMongod)
let mongod: Mongod
beforeAll(async () => {
  if (hasMongod) mongod = await startMongod()
})
afterAll(() => mongod?.[Symbol.asyncDispose]())

/** The operators that the adapter uses. Any other operator in a command was injected. */
const OWN = new Set(
  `$match $sort $limit $project $unionWith $count $facet $lookup $unwind $replaceRoot $concatArrays $round $multiply $meta $indexOfCP
   $literal $and $or $gte $gt $lt $lte $eq $in $all $exists $not $type $text $search $expr $first $set $unset $inc $cond $ifNull $add $max
   $currentDate $setOnInsert $bit $currentOp $db $clusterTime $readPreference $changeStream $ne`.split(/\s+/),
)

/** All field names of a command that start with `$`. */
const operatorsIn = (value: unknown): string[] => {
  if (Array.isArray(value)) return value.flatMap(operatorsIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, inner]) => [...(name.startsWith('$') ? [name] : []), ...operatorsIn(inner)])
}

const HOSTILE = [
  '$where',
  '$function',
  '{"$trim":{"input":"x"}}',
  '$$ROOT',
  'a" -b "$ltrim',
  '"; while(1); //',
  '(a+)+$',
  '\u0000',
  '$'.repeat(512),
  '\ud800',
]

attack('MDB-04 text from a caller never becomes a stage, an operator or an expression', async () => {
  await using folder = await tempFolder()
  const url = mongod.url()
  const flags = { dev: true, store: url, dataDirectory: folder.path, port: 0, adminPort: 0, logLevel: 'silent' }
  const registry = await serve(parseConfig(flags, undefined, {}))
  try {
    const { issuer, firstCode = '' } = registry
    const cast = await newCast({ issuer, firstCode })
    const acme = await cast.organisation('Acme')
    const agent = await cast.agent({ registeredBy: acme, name: 'hostile', introductionPolicy: { mode: 'open' } })
    await withDatabase(url, async (db) => {
      await db.createCollection('system.profile', { capped: true, size: 64 * 1024 * 1024 })
      await db.setProfilingLevel('all')
    })
    for (const text of HOSTILE) {
      const name = text.slice(0, 64)
      for (const query of [{ text }, { tags: [text.slice(0, 256)] }, { skill: text.slice(0, 256) }, { text, tags: [name], skill: name }])
        expect(['done', 'bad_input']).toContain(await reasonOf(agent.search(query)))
      const skills = [{ id: name, name, description: text, tags: [name] }]
      await agent.publish({ card: aCard({ issuer }, { name, description: text, skills }) }).catch(() => undefined)
      await reasonOf(agent.tasks.create({ description: text }))
      await reasonOf(agent.introductions.request({ to: agent.agentId, purpose: text, scopes: [text] }))
    }
    const sent = await withDatabase(url, async (db) => {
      await db.setProfilingLevel('off')
      return db.collection('system.profile').find().project<Document>({ command: 1 }).toArray()
    })
    expect(sent.length).toBeGreaterThan(100)
    expect(operatorsIn({ filter: { a: [{ $where: 'x' }] } })).toEqual(['$where'])
    // Inserted documents are stored, not evaluated
    expect(sent.flatMap(({ command }) => operatorsIn({ ...command, documents: [] })).filter((name) => !OWN.has(name))).toEqual([])
  } finally {
    await registry.close()
    await mongod.drop(url)
  }
})

attack('MDB-06 the largest block fits a document of the server', async () => {
  await using store = await openMongoStore(mongod)
  const handle = () => newHandle(systemRandom, 'tok')
  // The limits of a block: 500 groups of at most 64 entries, and 20 000 revoked handles
  const entries = Array.from({ length: 32_000 }, (_, seq) => ({
    id: newId(systemRandom, 'ent'),
    type: 'token.revoked' as const,
    ends: seq < 20_000 ? [{ handle: handle(), horizon: 4_000_000_000 }] : [],
    digest: 'd'.repeat(43),
    seq,
    time: 1_800_000_000,
  }))
  const block = Block.parse({
    n: 0,
    epoch: newHandle(systemRandom, 'epo'),
    first: 0,
    writer: 'w'.repeat(16),
    entries,
    frontier: Array.from({ length: 15 }, () => 'h'.repeat(43)),
    size: 32_000,
  })
  expect(await appendBlock(store.storage.log, block)).toEqual([{ ok: true }])
  expect((await store.other.log.head())?.entries.length).toBe(32_000)
})

attack(
  'MDB-08 a consumed id stays consumed until its expiry by the registry’s clock, whether or not the server’s TTL removal runs',
  async () => {
    const url = await mongod.lease()
    const clock = setClock()
    const storage = await openMongo({ url, clock, instance: 'one', storeClock: () => clock.now() * 1000, warn: () => undefined })
    const monitor = (ttlMonitorEnabled: boolean) => withDatabase(url, (db) => db.admin().command({ setParameter: 1, ttlMonitorEnabled }))
    try {
      await monitor(false)
      const replayCache = newReplayCache(storage)
      const until = clock.now() + 60
      expect(await replayCache.consume('proof', 'p', until)).toBe(true)
      expect(await replayCache.consume('proof', 'p', until)).toBe(false)
      clock.advance(59)
      expect(await replayCache.consume('proof', 'p', until)).toBe(false)
      clock.advance(1)
      expect(await replayCache.consume('proof', 'p', until + 60)).toBe(true)
      // The server removes the document a day after its expiry, so a server clock that is less than a day fast causes no early removal
      const [stored] = await withDatabase(url, (db) => db.collection('consumed-ids').find().toArray())
      expect(Number(stored?.purgeAt) / 1000 - Number(stored?.expires)).toBe(86_400)
    } finally {
      await monitor(true)
      await storage.close()
      await mongod.release(url)
    }
  },
)
