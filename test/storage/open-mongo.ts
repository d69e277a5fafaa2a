import { MongoClient } from 'mongodb'
import { openMongo } from '../../src/storage/mongo/open.js'
import { setClock } from '../set-clock.js'
import type { ContractStore } from './contract.js'
import { databaseOf, findMongod, startMembers, urlOf } from './find-mongod.mjs'

export interface Mongod extends AsyncDisposable {
  /** A URL with a new database name, for tests of empty databases and for those that change the database itself. Others take `lease`. */
  url(): string
  /** Drops the database: the server keeps its files open until then. */
  drop(url: string): Promise<void>
  /** An empty database, possibly with collections and indexes: creating those is most of the cost of a new one. */
  lease(): Promise<string>
  /** Empties the database and returns it to the pool. */
  release(url: string): Promise<void>
  /** All documents of all collections, as text. */
  documents(url: string): Promise<readonly string[]>
}

let databases = 0
const newName = () => `credence-${process.pid}-${databases++}`

const found = findMongod()
export const hasMongod = found !== undefined

/** Connections of one instance. A thread for each is what costs a server under wine most, and many at once have ended one (exit code 5). */
const POOL_SIZE = 12

/** This document of `schemas` stays in a database that is emptied. */
const SCHEMA_VERSION = '(version)'

/** The database that lists the free databases. */
export const POOL = 'credence-tests'

/** Connects to the shared server of the test run (test/one-mongod.ts), to MONGODB_URI, or to a new replica set with one member. */
export async function startMongod(): Promise<Mongod> {
  const there = process.env.CREDENCE_TEST_MONGOD ?? found?.uri
  const own = there === undefined ? await startMembers() : undefined
  const uri = there ?? own?.getUri() ?? ''
  const client = await MongoClient.connect(uri)
  const ofDatabase = (name: string): string => {
    const url = urlOf(uri, name)
    return `${url}${url.includes('?') ? '&' : '?'}maxPoolSize=${POOL_SIZE}`
  }
  return {
    url: () => ofDatabase(newName()),
    drop: async (url) => {
      await client.db(databaseOf(url)).dropDatabase()
    },
    lease: async () => {
      const free = await client.db(POOL).collection<{ _id: string }>('free').findOneAndDelete({})
      return ofDatabase(free?._id ?? newName())
    },
    release: async (url) => {
      const name = databaseOf(url) ?? ''
      const collections = await client.db(name).collections()
      await Promise.all(collections.map((collection) => collection.deleteMany({ _id: { $ne: SCHEMA_VERSION as never } })))
      await client.db(POOL).collection<{ _id: string }>('free').insertOne({ _id: name })
    },
    documents: async (url) => {
      const collections = await client.db(databaseOf(url)).collections()
      const lists = await Promise.all(collections.map((collection) => collection.find().toArray()))
      return lists.flat().map((document) => JSON.stringify(document))
    },
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await own?.stop({ doCleanup: true, force: true })
    },
  }
}

/** Opens an empty database by two Storage objects that share no memory. */
export async function openMongoStore(mongod: Mongod): Promise<ContractStore & { readonly url: string }> {
  const clock = setClock()
  const url = await mongod.lease()
  const open = (instance: string) => openMongo({ url, clock, instance, warn: () => undefined })
  const [storage, other] = [await open('one'), await open('two')]
  return {
    url,
    storage,
    other,
    clock,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([storage.close(), other.close()])
      await mongod.release(url)
    },
  }
}
