import { afterAll, beforeAll, expect, test } from 'vitest'
import { storageContract } from './contract.js'
import { HOW } from './find-mongod.mjs'
import { type Mongod, mongodBinary, openMongoStore, startMongod } from './open-mongo.js'

if (mongodBinary === undefined) {
  test(`NOT RUN over MongoDB: ${HOW}`, () => {
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
