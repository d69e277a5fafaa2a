import { afterAll, beforeAll } from 'vitest'
import { storageContract } from './contract.js'
import { type Mongod, openMongoStore, startMongod } from './open-mongo.js'

let mongod: Mongod
beforeAll(async () => {
  mongod = await startMongod()
}, 60_000)
afterAll(() => mongod[Symbol.asyncDispose]())

storageContract('MongoDB', () => openMongoStore(mongod))
