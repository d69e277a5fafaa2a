import type { ClientSession, Db } from 'mongodb'
import { changed, declarationOf, hasExpired, holds } from '../document.js'
import { anySpec, type Changing, type Collection, type Doc, type Key, operationsOf, type Page, type Spec, type Taking } from '../storage.js'
import { docOf, encoded, type Stored, storedOf } from './codec.js'
import { type Declared, declaredOf } from './ensure-schema.js'
import { find } from './find.js'
import type { Opened } from './opened.js'
import { purgeIn } from './purge.js'
import { newBatch } from './session/batch.js'
import { newShared } from './session/coalesce.js'
import { isTaken, reach, reachIn } from './session/errors.js'
import { onceReady } from './session/ready.js'

export interface CollectionsDeps {
  readonly db: Db
  readonly now: () => number
  readonly declare: (declared: Declared) => Promise<void>
}

export interface Collections {
  collection<D extends Doc>(spec: Spec<D>): Collection<D>
  /** The collection of this name, or a throw: a bug. */
  opened(name: string): Opened
  /** Removes at most `limit` expired documents; how many. */
  purge(at: number, limit: number): Promise<number>
}

export function newCollections(deps: CollectionsDeps): Collections {
  const known = new Map<string, Known>()
  return {
    collection: <D extends Doc>(spec: Spec<D>) => {
      // A Spec<D> is used as a Spec<Doc> from here on: documents go in checked by its own schema and come out as they went in
      const general = anySpec(spec)
      const opened = known.get(spec.name) ?? open(deps, general)
      if (opened.declaration !== declarationOf(general)) throw new Error(`collection ${spec.name} is declared twice, differently`)
      known.set(spec.name, opened)
      return opened.collection as unknown as Collection<D>
    },
    opened: (name) => {
      const opened = known.get(name)
      if (opened === undefined) throw new Error(`collection ${name} is not declared`)
      return opened
    },
    purge: async (at, limit) => {
      let left = limit
      for (const { spec, ready } of known.values()) {
        if (spec.expires === undefined || left <= 0) continue
        await ready()
        left -= await purgeIn(deps.db, spec.name, at, left)
      }
      return limit - left
    },
  }
}

interface Known extends Opened {
  readonly declaration: string
  readonly collection: Collection<Doc>
}

function open({ db, now, declare }: CollectionsDeps, spec: Spec<Doc>): Known {
  const declared = declaredOf(spec)
  const opened: Opened = {
    spec,
    now,
    docs: db.collection<Stored>(spec.name),
    shared: newShared(),
    ready: onceReady(() => declare(declared)),
  }
  const getBatched = newBatch((ids: readonly string[]) => getMany(opened, ids))
  const insertBatched = newBatch((docs: readonly Stored[]) => insertMany(opened, docs))
  const collection: Collection<Doc> = {
    spec,
    insert: async (doc) => {
      const { stored } = storedOf(spec, doc)
      await opened.ready()
      return insertBatched(stored)
    },
    get: async (key) => {
      await opened.ready()
      return liveIn(opened, await getBatched(encoded(key)))?.doc
    },
    find: async (index, query): Promise<Page<Doc>> => {
      await opened.ready()
      return find(opened, index, query)
    },
    change: async (key, guard, to) => {
      await opened.ready()
      return change(opened, { key, guard, to })
    },
    take: async (key, guard) => {
      await opened.ready()
      return take(opened, { key, guard })
    },
    ...operationsOf(spec),
  }
  return { ...opened, declaration: declarationOf(spec), collection }
}

/** One command for all that wait: each is read after it was asked for. */
async function getMany({ docs }: Opened, ids: readonly string[]): Promise<readonly (() => Stored | null)[]> {
  const wanted = [...new Set(ids)]
  const found = await reach(() =>
    docs
      .find({ _id: { $in: wanted } })
      .limit(wanted.length)
      .batchSize(wanted.length)
      .toArray(),
  )
  const byId = new Map(found.map((stored) => [stored._id, stored]))
  return ids.map((id) => () => byId.get(id) ?? null)
}

/** One command for all that wait; each hears of its own. What only expired documents stand in the way of is tried again by itself. */
async function insertMany(opened: Opened, docs: readonly Stored[]): Promise<readonly (() => 'inserted' | 'exists')[]> {
  const failed = await reach(() =>
    opened.docs.bulkWrite(
      docs.map((document) => ({ insertOne: { document } })),
      { ordered: false },
    ),
  ).then(
    () => new Set<number>(),
    (error: unknown) => {
      if (!isTaken(error)) throw error
      return takenIn(error)
    },
  )
  return Promise.all(
    docs.map(async (doc, i) => {
      const answer = failed.has(i) ? await insertOver(opened, doc) : 'inserted'
      return () => answer
    }),
  )
}

/** Which of a bulk write's documents were not inserted, all of them for a taken place. */
function takenIn(error: unknown): ReadonlySet<number> {
  const errors = error instanceof Error && 'writeErrors' in error ? [error.writeErrors].flat() : []
  return new Set(
    errors.map((one: unknown) => {
      if (typeof one !== 'object' || one === null || !('index' in one) || !('code' in one) || one.code !== 11000) throw error
      return Number(one.index)
    }),
  )
}

async function insertOver(opened: Opened, doc: Stored): Promise<'inserted' | 'exists'> {
  for (;;) {
    if (!(await evict(opened, doc))) return 'exists'
    try {
      await reach(() => opened.docs.insertOne(doc))
      return 'inserted'
    } catch (error) {
      if (!isTaken(error)) throw error
    }
  }
}

/** Removes the expired documents that stand where `doc` would; whether there were any. */
export async function evict({ spec, docs, now }: Opened, doc: Stored, session?: ClientSession): Promise<boolean> {
  if (spec.expires === undefined) return false
  const filter = { $or: placesOf(spec, doc), expires: { $lte: now() } }
  const { deletedCount } = await reachIn(session, (at) => docs.deleteMany(filter, at))
  return deletedCount > 0
}

/** The key, and the document's places in unique indexes. */
function placesOf(spec: Spec<Doc>, doc: Stored): Record<string, { readonly $eq: unknown } | { readonly $in: readonly unknown[] }>[] {
  const unique = Object.values(spec.indexes).filter(
    (index) => index.unique === true && index.fields.every((field) => doc.f[field] !== undefined),
  )
  return [
    { _id: { $eq: doc._id } },
    ...unique.map(({ fields }) =>
      Object.fromEntries(
        fields.map((field) => {
          const value = doc.f[field]
          return [`f.${field}`, Array.isArray(value) ? { $in: value } : { $eq: value }]
        }),
      ),
    ),
  ]
}

async function live(opened: Opened, key: Key, session?: ClientSession) {
  return liveIn(opened, await reachIn(session, (at) => opened.docs.findOne({ _id: { $eq: encoded(key) } }, at)))
}

function liveIn({ spec, now }: Opened, stored: Stored | null) {
  if (stored === null) return undefined
  const doc = docOf(stored)
  return hasExpired(spec, doc, now()) ? undefined : { doc, text: stored.text }
}

/** Compared by its whole text when it is written, so of two who read the same one wins and the other reads again. */
export async function change(opened: Opened, { key, guard, to }: Changing, session?: ClientSession): Promise<Doc | undefined> {
  for (;;) {
    const before = await live(opened, key, session)
    if (before === undefined || !holds(guard, before.doc)) return undefined
    const { doc, stored } = storedOf(opened.spec, changed(opened.spec, before.doc, to), before.doc)
    try {
      const filter = { _id: { $eq: stored._id }, text: { $eq: before.text } }
      const { _id, ...rest } = stored
      const { matchedCount } = await reachIn(session, (at) => opened.docs.replaceOne(filter, rest, at))
      if (matchedCount === 1) return doc
    } catch (error) {
      // In a transaction the commit is done anew, carefully
      if (!isTaken(error) || session !== undefined) throw error
      if (!(await evict(opened, { ...stored, _id: '' }))) return undefined
    }
  }
}

export async function take(opened: Opened, { key, guard }: Taking, session?: ClientSession): Promise<Doc | undefined> {
  for (;;) {
    const there = await live(opened, key, session)
    if (there === undefined || !holds(guard, there.doc)) return undefined
    const filter = { _id: { $eq: encoded(key) }, text: { $eq: there.text } }
    const { deletedCount } = await reachIn(session, (at) => opened.docs.deleteOne(filter, at))
    if (deletedCount === 1) return there.doc
  }
}
