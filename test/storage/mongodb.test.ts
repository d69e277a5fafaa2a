import { afterAll, beforeAll, expect, test } from 'vitest'
import { storageContract } from './contract.js'
import { type Mongod, mongodBinary, openMongoStore, startMongod } from './open-mongo.js'

if (mongodBinary === undefined) {
  console.warn('\n*** MONGOD_BINARY IS NOT SET: THE CONTRACT DID NOT RUN OVER MONGODB ***\n')
  test('NOT RUN over MongoDB: MONGOD_BINARY is not set', () => {
    expect(mongodBinary).toBeUndefined()
  })
} else {
  let mongod: Mongod
  beforeAll(async () => {
    mongod = await startMongod()
  }, 60_000)
  afterAll(() => mongod[Symbol.asyncDispose]())

  storageContract('MongoDB', () => openMongoStore(mongod))
}
