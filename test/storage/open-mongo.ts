import { MongoClient } from 'mongodb'
import { MongoMemoryReplSet } from 'mongodb-memory-server-core'
import { openMongo } from '../../src/storage/mongo/open.js'
import { setClock } from '../set-clock.js'
import type { ContractStore } from './contract.js'
import { findMongod, HOW, mongodProgram } from './find-mongod.mjs'

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
/** Before the database's name (there may be several hosts, which no URL parser takes), and the name. */
const URL_PARTS = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/([^?]*))?/

const found = findMongod()
/** Whether there is a server to test against. */
export const hasMongod = found !== undefined

/** Whichever test file needs one takes it from here. */
export const POOL = 'credence-tests'

const nameIn = (url: string): string | undefined => URL_PARTS.exec(url)?.[2]

/** The server that the whole run shares, where there is one (test/one-mongod.ts), or a deployment; else one member of a replica set of its own. */
export async function startMongod(): Promise<Mongod> {
  const there = process.env.CREDENCE_TEST_MONGOD ?? found?.uri
  const own = there === undefined ? await startMember() : undefined
  const uri = there ?? own?.getUri() ?? ''
  const client = await MongoClient.connect(uri)
  return {
    url: () => uri.replace(URL_PARTS, (_, hosts: string) => `${hosts}/credence-${process.pid}-${databases++}`),
    drop: async (url) => {
      await client.db(nameIn(url)).dropDatabase()
    },
    lease: async () => {
      const free = await client.db(POOL).collection<{ _id: string }>('free').findOneAndDelete({})
      return uri.replace(URL_PARTS, (_, hosts: string) => `${hosts}/${free?._id ?? `credence-${process.pid}-${databases++}`}`)
    },
    release: async (url) => {
      const name = nameIn(url) ?? ''
      const collections = await client.db(name).collections()
      const used = collections.filter(({ collectionName }) => collectionName !== 'declarations')
      await Promise.all(used.map((collection) => collection.deleteMany({})))
      await client.db(POOL).collection<{ _id: string }>('free').insertOne({ _id: name })
    },
    documents: async (url) => {
      const collections = await client.db(nameIn(url)).collections()
      const lists = await Promise.all(collections.map((collection) => collection.find().toArray()))
      return lists.flat().map((document) => JSON.stringify(document))
    },
    [Symbol.asyncDispose]: async () => {
      await client.close()
      await own?.stop({ doCleanup: true, force: true })
    },
  }
}

/** One member of a replica set; it ends with this process. */
export async function startMember(): Promise<MongoMemoryReplSet> {
  if (found === undefined) throw new Error(`no MongoDB to test against. ${HOW}`)
  return MongoMemoryReplSet.create({
    binary: { systemBinary: await mongodProgram(found), checkMD5: false, version: '7.0.15' },
    replSet: { count: 1, ip: '127.0.0.1', storageEngine: 'wiredTiger' },
    instanceOpts: [{ launchTimeout: 60_000 }],
  })
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
