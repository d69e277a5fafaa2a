import { MongoClient } from 'mongodb'
import { openMongo } from '../../src/storage/mongo/open.js'
import { setClock } from '../set-clock.js'
import type { ContractStore } from './contract.js'
import { databaseOf, findMongod, startMembers, urlOf } from './find-mongod.mjs'

export interface Mongod extends AsyncDisposable {
  /** A URL for a database of its own. */
  url(): string
  /** Removes it: the server keeps its files open as long as it is there. */
  drop(url: string): Promise<void>
  /** An empty database whose collections and indexes may be there already: making them is most of what a fresh one costs. */
  lease(): Promise<string>
  /** Empties it, for whoever comes next. */
  release(url: string): Promise<void>
  /** Every document of every collection of it, as text. */
  documents(url: string): Promise<readonly string[]>
}

let databases = 0
const newName = () => `credence-${process.pid}-${databases++}`

const found = findMongod()
/** Whether there is a server to test against. */
export const hasMongod = found !== undefined

/** Whichever test file needs one takes it from here. */
export const POOL = 'credence-tests'

/** The server that the whole run shares, where there is one (test/one-mongod.ts), or a deployment; else one member of a replica set of its own. */
export async function startMongod(): Promise<Mongod> {
  const there = process.env.CREDENCE_TEST_MONGOD ?? found?.uri
  const own = there === undefined ? await startMembers() : undefined
  const uri = there ?? own?.getUri() ?? ''
  const client = await MongoClient.connect(uri)
  return {
    url: () => urlOf(uri, newName()),
    drop: async (url) => {
      await client.db(databaseOf(url)).dropDatabase()
    },
    lease: async () => {
      const free = await client.db(POOL).collection<{ _id: string }>('free').findOneAndDelete({})
      return urlOf(uri, free?._id ?? newName())
    },
    release: async (url) => {
      const name = databaseOf(url) ?? ''
      const collections = await client.db(name).collections()
      const used = collections.filter(({ collectionName }) => collectionName !== 'declarations')
      await Promise.all(used.map((collection) => collection.deleteMany({})))
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
