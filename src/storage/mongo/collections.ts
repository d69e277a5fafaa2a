import type { ClientSession, Db } from 'mongodb'
import { applyChange, definitionOf, hasExpired, matchesGuard } from '../document.js'
import {
  anySpec,
  type ChangeRequest,
  type Collection,
  type Doc,
  type Key,
  operationsOf,
  type Page,
  type Spec,
  type TakeRequest,
} from '../storage.js'
import { docOf, encoded, type StoredDoc, storedOf } from './codec.js'
import { type CollectionSchema, schemaOf } from './ensure-schema.js'
import { find } from './find.js'
import type { OpenCollection } from './open-collection.js'
import { purgeIn } from './purge.js'
import { newBatch } from './session/batch.js'
import { newCoalescer } from './session/coalesce.js'
import { callServer, callServerIn, isDuplicateKey } from './session/errors.js'
import { onceReady } from './session/ready.js'

export interface CollectionsDeps {
  readonly db: Db
  readonly now: () => number
  readonly ensureSchema: (schema: CollectionSchema) => Promise<void>
}

export interface Collections {
  collection<D extends Doc>(spec: Spec<D>): Collection<D>
  /** Returns the collection with this name. Throws if it is not open. */
  opened(name: string): OpenCollection
  /** Resolves when all open collections and their indexes exist. */
  ready(): Promise<void>
  /** Removes at most `limit` expired documents and returns how many it removed. */
  purge(nowSeconds: number, limit: number): Promise<number>
}

export function newCollections(deps: CollectionsDeps): Collections {
  const openCollections = new Map<string, CollectionEntry>()
  return {
    collection: <D extends Doc>(spec: Spec<D>) => {
      // The document type is erased from here on: the schema checks documents before they are written, and they are read back unchanged
      const general = anySpec(spec)
      const entry = openCollections.get(spec.name) ?? open(deps, general)
      if (entry.definition !== definitionOf(general)) throw new Error(`collection ${spec.name} is opened with two different definitions`)
      openCollections.set(spec.name, entry)
      return entry.handle as unknown as Collection<D>
    },
    opened: (name) => {
      const entry = openCollections.get(name)
      if (entry === undefined) throw new Error(`collection ${name} is not open`)
      return entry
    },
    ready: async () => {
      await Promise.all([...openCollections.values()].map(({ ready }) => ready()))
    },
    purge: async (nowSeconds, limit) => {
      let remaining = limit
      for (const { spec, ready } of openCollections.values()) {
        if (spec.expires === undefined || remaining <= 0) continue
        await ready()
        remaining -= await purgeIn(deps.db, spec.name, nowSeconds, remaining)
      }
      return limit - remaining
    },
  }
}

interface CollectionEntry extends OpenCollection {
  readonly definition: string
  readonly handle: Collection<Doc>
}

function open({ db, now, ensureSchema }: CollectionsDeps, spec: Spec<Doc>): CollectionEntry {
  const schema = schemaOf(spec)
  const opened: OpenCollection = {
    spec,
    now,
    docs: db.collection<StoredDoc>(spec.name),
    coalesce: newCoalescer(),
    ready: onceReady(() => ensureSchema(schema)),
  }
  const getBatched = newBatch((ids: readonly string[]) => getMany(opened, ids))
  const insertBatched = newBatch((docs: readonly StoredDoc[]) => insertMany(opened, docs))
  const handle: Collection<Doc> = {
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
  return { ...opened, definition: definitionOf(spec), handle }
}

/** Reads all queued ids with one command. The command is sent after each of them was queued. */
async function getMany({ docs }: OpenCollection, ids: readonly string[]): Promise<readonly (() => StoredDoc | null)[]> {
  const wanted = [...new Set(ids)]
  const found = await callServer(() =>
    docs
      .find({ _id: { $in: wanted } })
      .limit(wanted.length)
      .batchSize(wanted.length)
      .toArray(),
  )
  const byId = new Map(found.map((stored) => [stored._id, stored]))
  return ids.map((id) => () => byId.get(id) ?? null)
}

/** Inserts all queued documents with one command. A document that failed is tried again on its own: only an expired document may be in its way. */
async function insertMany(opened: OpenCollection, docs: readonly StoredDoc[]): Promise<readonly (() => 'inserted' | 'exists')[]> {
  const failed = await callServer(() =>
    opened.docs.bulkWrite(
      docs.map((document) => ({ insertOne: { document } })),
      { ordered: false },
    ),
  ).then(
    () => new Set<number>(),
    (error: unknown) => {
      if (!isDuplicateKey(error)) throw error
      return duplicatesIn(error)
    },
  )
  return Promise.all(
    docs.map(async (doc, i) => {
      const result = failed.has(i) ? await insertOverExpired(opened, doc) : 'inserted'
      return () => result
    }),
  )
}

/** The indexes of the documents that a bulk write rejected as duplicates. Rethrows if any was rejected for another reason. */
function duplicatesIn(error: unknown): ReadonlySet<number> {
  const errors = error instanceof Error && 'writeErrors' in error ? [error.writeErrors].flat() : []
  return new Set(
    errors.map((one: unknown) => {
      if (typeof one !== 'object' || one === null || !('index' in one) || !('code' in one) || one.code !== 11000) throw error
      return Number(one.index)
    }),
  )
}

async function insertOverExpired(opened: OpenCollection, doc: StoredDoc): Promise<'inserted' | 'exists'> {
  for (;;) {
    if (!(await removeExpiredConflicts(opened, doc))) return 'exists'
    try {
      await callServer(() => opened.docs.insertOne(doc))
      return 'inserted'
    } catch (error) {
      if (!isDuplicateKey(error)) throw error
    }
  }
}

/** Removes expired documents that have the key of `doc` or its values in a unique index. Returns whether there were any. */
export async function removeExpiredConflicts(
  { spec, docs, now }: OpenCollection,
  doc: StoredDoc,
  session?: ClientSession,
): Promise<boolean> {
  if (spec.expires === undefined) return false
  const filter = { $or: conflictFilters(spec, doc), expires: { $lte: now() } }
  const { deletedCount } = await callServerIn(session, (inSession) => docs.deleteMany(filter, inSession))
  return deletedCount > 0
}

/** Filters for documents that conflict with `doc`: by key, and by each unique index. */
function conflictFilters(
  spec: Spec<Doc>,
  doc: StoredDoc,
): Record<string, { readonly $eq: unknown } | { readonly $in: readonly unknown[] }>[] {
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

async function live(opened: OpenCollection, key: Key) {
  return liveIn(opened, await callServer(() => opened.docs.findOne({ _id: { $eq: encoded(key) } })))
}

function liveIn({ spec, now }: OpenCollection, stored: StoredDoc | null) {
  if (stored === null) return undefined
  const doc = docOf(spec, stored)
  return hasExpired(spec, doc, now()) ? undefined : { doc, text: stored.text }
}

/** The write matches the whole text that was read. So of two callers that read the same text one writes, and the other reads again. */
async function change(opened: OpenCollection, { key, guard, to }: ChangeRequest): Promise<Doc | undefined> {
  for (;;) {
    const before = await live(opened, key)
    if (before === undefined || !matchesGuard(guard, before.doc)) return undefined
    const { doc, stored } = storedOf(opened.spec, applyChange(opened.spec, before.doc, to), before.doc)
    try {
      const filter = { _id: { $eq: stored._id }, text: { $eq: before.text } }
      const { _id, ...rest } = stored
      const { matchedCount } = await callServer(() => opened.docs.replaceOne(filter, rest))
      if (matchedCount === 1) return doc
    } catch (error) {
      if (!isDuplicateKey(error)) throw error
      if (!(await removeExpiredConflicts(opened, { ...stored, _id: '' }))) return undefined
    }
  }
}

async function take(opened: OpenCollection, { key, guard }: TakeRequest): Promise<Doc | undefined> {
  for (;;) {
    const existing = await live(opened, key)
    if (existing === undefined || !matchesGuard(guard, existing.doc)) return undefined
    const filter = { _id: { $eq: encoded(key) }, text: { $eq: existing.text } }
    const { deletedCount } = await callServer(() => opened.docs.deleteOne(filter))
    if (deletedCount === 1) return existing.doc
  }
}
