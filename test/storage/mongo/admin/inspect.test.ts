import { describe, expect, test } from 'vitest'
import { clientClock } from '../../../../src/lib/clock.js'
import { inspectDatabase } from '../../../../src/operations/inspect-store.js'
import { SCHEMA_VERSION } from '../../../../src/storage/mongo/schema-version.js'
import { setClock } from '../../../set-clock.js'
import { hasMongod, startMongod } from '../../open-mongo.js'

describe.skipIf(!hasMongod)('what doctor reads of a MongoDB deployment', () => {
  test('an empty database has no schema version, and stays empty', async () => {
    const { openMongo } = await import('../../../../src/storage/mongo/open.js')
    await using mongod = await startMongod()
    const url = mongod.url()
    expect(await inspectDatabase(url)).toMatchObject({ schemaVersion: undefined, supportedVersion: SCHEMA_VERSION })
    expect(await mongod.documents(url)).toEqual([])
    const storage = await openMongo({ url, clock: setClock(), instance: 'a', warn: () => undefined })
    await storage.close()
    const { schemaVersion, clockMs, server } = await inspectDatabase(url)
    expect([schemaVersion, server]).toEqual([SCHEMA_VERSION, expect.stringMatching(/^\d+\.\d+\.\d+$/)])
    expect(Math.abs(clockMs / 1000 - clientClock.now())).toBeLessThan(5)
    await mongod.drop(url)
  })
})
