// `credence admin dump` and `load` over MongoDB: moves from and to a file, dumps of a running registry, and a registry as the witness.
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { fetchRegistryKeys, parseCheckpoint } from '../../../../src/client/index.js'
import { systemClock } from '../../../../src/lib/clock.js'
import { linesOf } from '../../../../src/lib/io/lines.js'
import { silentLog } from '../../../../src/lib/log.js'
import { systemRandom } from '../../../../src/lib/random.js'
import { dumpStore } from '../../../../src/operations/dump/dump.js'
import { loadStore } from '../../../../src/operations/dump/load.js'
import { parseConfig } from '../../../../src/server/config.js'
import { serve } from '../../../../src/server/main.js'
import { openStore } from '../../../../src/server/open-store.js'
import { openMongo, openMongoToLoad } from '../../../../src/storage/mongo/open.js'
import type { CosignedCheckpoint } from '../../../../src/trust-log/witness/cosigned-logs.js'
import { freePort } from '../../../free-port.mjs'
import { FILE, killTests, moveTests } from '../../../operations/dump/move.js'
import { newWorld } from '../../../operations/dump/world.js'
import { tempFolder } from '../../open-store.js'
import { overMongod } from '../../over-mongod.js'
import { withDatabase } from '../backup.js'

interface Database {
  readonly data: string
  readonly store: string
}
overMongod((mongod) => {
  const MONGO = { newUrl: () => mongod().lease(), release: (url: string) => mongod().release(url) }
  const withPlaces = async (work: (source: Database, target: Database) => Promise<void>) => {
    const [source, target] = [await mongod().lease(), await mongod().lease()]
    try {
      await work({ data: 'source', store: source }, { data: 'target', store: target })
    } finally {
      for (const store of [source, target]) await mongod().release(store)
    }
  }

  describe('from a SQLite file to MongoDB', () => {
    moveTests(FILE, MONGO)
    killTests(MONGO, ['resume'])
  })
  describe('from MongoDB to a SQLite file', () => moveTests(MONGO, FILE))

  test('a dump of a running registry holds the state of one moment: what was written later is missing as a whole', () =>
    withPlaces(async (source, target) => {
      await using world = await newWorld(source)
      const valid = await world.callOcr()
      const during: { agentId: string }[] = []
      let changing: Promise<void> | undefined
      const change = async () => {
        during.push(await world.cast.agent({ registeredBy: world.acme, name: 'later' }))
        await world.planner.revoke(valid.accessToken)
      }
      // The first documents are read after the log, so the change falls between the two
      const onProgress = ({ step }: { step: string }) => {
        if (step === 'log') changing ??= change()
      }
      const storage = await openStore(world.configOf(source), silentLog, { isLongRunning: true })
      const lines: { collection?: string; doc?: { name?: string }; position?: string }[] = []
      for await (const line of dumpStore(storage, { now: systemClock.now(), onProgress })) {
        lines.push(line)
        if (lines.length === 2) await changing
      }
      await storage.close()
      expect(during).toHaveLength(1)
      expect(lines.flatMap(({ collection, doc }) => (collection === 'agents' ? [doc?.name] : [])).sort()).toEqual(['ocr', 'planner'])
      await world.dump(source, 'after.jsonl')
      await world.stop()
      expect(await world.load('after.jsonl', target)).toMatchObject({ outcome: 'loaded', documents: { agents: 3 } })
      // Nothing was written since, so the store is not behind its witness
      await world.start(target)
      expect(await world.ocr.introspect(valid.accessToken)).toEqual({ active: false })
    }))

  test('a dump that takes longer than the server keeps a snapshot says so, and what to do', () =>
    withPlaces(async (source) => {
      await using world = await newWorld(source)
      const setWindow = (seconds: number) =>
        withDatabase(source.store, (db) => db.admin().command({ setParameter: 1, minSnapshotHistoryWindowInSeconds: seconds }))
      const storage = await openStore(world.configOf(source), silentLog, { isLongRunning: true })
      const dump = dumpStore(storage, { now: systemClock.now(), onProgress: () => undefined })
      await dump.next()
      await setWindow(0)
      try {
        const restOf = async () => {
          for await (const _ of dump)
            await withDatabase(source.store, (db) => db.collection('others').insertOne({}, { writeConcern: { w: 'majority' } }))
        }
        // The server forgets an old state when it writes a checkpoint
        await withDatabase(source.store, (db) => db.admin().command({ fsync: 1 }))
        await expect(restOf()).rejects.toThrow(/no longer has the state at the start of the dump.*minSnapshotHistoryWindowInSeconds: 3600/)
      } finally {
        await setWindow(300)
        await storage.close()
      }
    }))

  test('a database that is not empty is refused and left as it is', () =>
    withPlaces(async (_, target) => {
      const source = { data: 'source' }
      await using world = await newWorld(source)
      await world.stop()
      await world.dump(source, 'dump.jsonl')
      await withDatabase(target.store, (db) => db.collection('guests').insertOne({ name: 'Ann' }))
      await expect(world.load('dump.jsonl', target)).rejects.toThrow('the store is not empty')
      expect(await withDatabase(target.store, (db) => db.collection('guests').countDocuments())).toBe(1)
    }))

  test('an instance that opened the target while it was empty is noticed before the load is complete', () =>
    withPlaces(async (_, target) => {
      const source = { data: 'source' }
      await using world = await newWorld(source)
      await world.stop()
      await world.dump(source, 'dump.jsonl', { seals: true })
      const early = await openMongo({ url: target.store, clock: systemClock, instance: 'early', warn: () => undefined })
      let reading: NodeJS.Timeout | undefined
      const opened = await openMongoToLoad({ url: target.store, clock: systemClock, instance: 'load', warn: () => undefined })
      const putCounters: typeof opened.putCounters = async (counters) => {
        await early.log.head()
        reading = setInterval(() => void early.log.head().catch(() => undefined), 200)
        return opened.putCounters(counters)
      }
      const lines = linesOf(createReadStream(world.file('dump.jsonl')), 1_000_000)
      const deps = { lines, witness: undefined, clock: systemClock, random: systemRandom, onProgress: () => undefined }
      await expect(loadStore({ ...deps, target: { ...opened, putCounters } })).rejects.toThrow('1 instance uses this store')
      await opened.close()
      clearInterval(reading)
      await early.close()
      await expect(world.start(target)).rejects.toThrow('a load into this database is incomplete')
      expect(await world.load('dump.jsonl', target)).toMatchObject({ outcome: 'moved' })
    }))

  test('a registry whose witness is another registry moves: the witness accepts the target, and neither the source nor an old copy of it is served', () =>
    withPlaces(async (_, target) => {
      await using folder = await tempFolder()
      const [port, own] = [await freePort(), await freePort()]
      const source = { data: 'source' }
      const witnessUrl = `http://127.0.0.1:${port}`
      const issuer = `http://127.0.0.1:${own}`
      const flags = {
        dev: true,
        logLevel: 'silent',
        adminPort: 0,
        dataDirectory: folder.path,
        port,
        witnessFor: [issuer],
        witness: false,
      }
      const startWitness = () => serve(parseConfig(flags, undefined, {}))
      let witness = await startWitness()
      await using world = await newWorld(source, { witness: witnessUrl, port: own })
      const checkpoint = async (): Promise<CosignedCheckpoint | undefined> =>
        (await (await fetch(`${witnessUrl}/witness?log=${new URL(issuer).host}`)).json()).checkpoint
      const headSeq = async () => Number((await (await fetch(`${issuer}/log/entries?limit=0`)).json()).asOf.split('.').at(-1))
      const witnessIsCurrent = () => expect.poll(async () => (await checkpoint())?.seq === (await headSeq())).toBe(true)
      const valid = await world.callOcr()
      await witnessIsCurrent()
      await world.stop()
      await world.dump(source, 'copy.jsonl')
      await world.dump(source, 'dump.jsonl', { seals: true })

      await witness.close()
      await expect(world.load('dump.jsonl', target)).rejects.toThrow('cannot fetch')
      witness = await startWitness()
      const before = await checkpoint()
      // In the data directory of the source, the note protects against old copies of it
      const place = { data: 'source', store: target.store }
      expect(await world.load('dump.jsonl', place)).toMatchObject({ outcome: 'moved' })
      expect(await checkpoint()).toEqual(before)
      await expect(world.start(source)).rejects.toThrow('freezes the log of this store')
      await rm(world.file('source/credence.db'))
      await world.load('copy.jsonl', source)
      await expect(world.start(source)).rejects.toThrow(`is behind its witness ${witnessUrl}`)

      // Another machine knows only the address of the witness
      await world.start({ data: 'elsewhere', store: target.store })
      expect(await world.ocr.introspect(valid.accessToken)).toMatchObject({ active: true })
      await witnessIsCurrent()
      const now = await checkpoint()
      expect(now?.epoch).toBe(before?.epoch)
      const signed = await parseCheckpoint(now?.note ?? '', { issuer, keys: await fetchRegistryKeys(issuer, 'log') })
      expect(signed).toMatchObject({ size: now?.size, root: now?.root })
      await world.stop()
      await rm(world.file('source/restored.json'))
      await expect(world.start(source)).rejects.toThrow('is behind its witness')
      await witness.close()
    }))
})
