// What `credence admin` does to a MongoDB deployment, all over one server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { organisationData } from '../move/organisation.js'
import { mongoCopy } from './mongo-copy.js'
import { mongoCopyWitness } from './mongo-copy-witness.js'
import { mongoExplain } from './mongo-explain.js'
import { mongoMigrate } from './mongo-migrate.js'
import { mongoRestore } from './mongo-restore.js'
import { type Mongod, mongodBinary, startMongod } from './open-mongo.js'

if (mongodBinary === undefined) {
  console.warn('\n*** MONGOD_BINARY IS NOT SET: credence admin DID NOT RUN OVER MONGODB ***\n')
  test('NOT RUN over MongoDB: MONGOD_BINARY is not set', () => {
    expect(mongodBinary).toBeUndefined()
  })
} else {
  let mongod: Mongod
  beforeAll(async () => {
    mongod = await startMongod()
  }, 60_000)
  afterAll(() => mongod[Symbol.asyncDispose]())

  describe('admin migrate', () => mongoMigrate(() => mongod))
  describe('admin copy', () => mongoCopy(() => mongod))
  describe('admin copy, with a registry as the witness', () => mongoCopyWitness(() => mongod))
  describe('explain', () => mongoExplain(() => mongod))
  describe('admin export and erase', () =>
    organisationData(() => {
      const url = mongod.url()
      return { url, drop: () => mongod.drop(url) }
    }))
  describe('admin restore', () => mongoRestore(() => mongod))
}
