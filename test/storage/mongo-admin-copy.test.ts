// `credence admin copy` into a MongoDB deployment. A file of its own, so that it runs beside the other commands.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HOW } from './find-mongod.mjs'
import { mongoCopy } from './mongo-copy.js'
import { mongoCopyWitness } from './mongo-copy-witness.js'
import { hasMongod, type Mongod, startMongod } from './open-mongo.js'

if (!hasMongod) {
  test(`NOT RUN over MongoDB: ${HOW}`, () => {
    expect(hasMongod).toBe(false)
  })
} else {
  let mongod: Mongod
  beforeAll(async () => {
    mongod = await startMongod()
  }, 60_000)
  afterAll(() => mongod[Symbol.asyncDispose]())

  describe('admin copy', () => mongoCopy(() => mongod))
  describe('admin copy, with a registry as the witness', () => mongoCopyWitness(() => mongod))
}
