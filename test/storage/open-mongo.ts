import { MongoClient } from 'mongodb'
import { MongoMemoryReplSet } from 'mongodb-memory-server-core'
import { openMongo } from '../../src/storage/mongo/open.js'
import { setClock } from '../set-clock.js'
import type { ContractStore } from './contract.js'

export interface Mongod extends AsyncDisposable {
  /** A URL for a database of its own. */
  url(): string
  /** Removes it: the server keeps its files open as long as it is there. */
  drop(url: string): Promise<void>
}

let databases = 0

/** Which server there is to test against; nothing is looked for that was not named. */
export const mongodBinary = process.env.MONGOD_BINARY

/** One member of a replica set. */
export async function startMongod(): Promise<Mongod> {
  if (mongodBinary === undefined) throw new Error('MONGOD_BINARY names no server')
  const replSet = await MongoMemoryReplSet.create({
    binary: { systemBinary: mongodBinary, checkMD5: false },
    replSet: { count: 1, ip: '127.0.0.1', storageEngine: 'wiredTiger' },
  })
  const client = await MongoClient.connect(replSet.getUri())
  return {
    url: () => replSet.getUri(`credence-${process.pid}-${databases++}`),
    drop: async (url) => {
      await client.db(new URL(url).pathname.slice(1)).dropDatabase()
    },
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await replSet.stop({ doCleanup: true, force: true })
    },
  }
}

/** A fresh database, and two Storage objects over it that share no memory. */
export async function openMongoStore(mongod: Mongod): Promise<ContractStore> {
  const clock = setClock()
  const url = mongod.url()
  const open = (instance: string) => openMongo({ url, clock, instance, warn: () => undefined })
  const [storage, other] = [await open('one'), await open('two')]
  return {
    storage,
    other,
    clock,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([storage.close(), other.close()])
      await mongod.drop(url)
    },
  }
}
