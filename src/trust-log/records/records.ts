// Records of features: hidden until the entry that begins them stands; changed by a successor that waits beside the record
// until the entry stands that ends the old version (a record and its entry are two writes). Whoever meets what waits settles it.
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import { type EntryId, newId } from '../../protocol/ids.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { Collection, Doc, Guard, Operation, Storage } from '../../storage/storage.js'
import type { Beginning, TrustLog } from '../trust-log.js'

/** Fields that a record's schema has for it. `next` holds what changes; a member that is null is removed. */
interface LivingRecord {
  /** The entry that begins it; until it stands, the record is not there. */
  readonly hidden?: EntryId | undefined
  readonly nextEntry?: EntryId | undefined
  readonly next?: Readonly<Record<string, unknown>> | undefined
}

/** The entry that begins a record or its next version. */
export interface RecordBeginning extends Pick<Beginning, 'type' | 'begins' | 'dependsOn' | 'ends' | 'digest'> {
  /** Written in one commit with the hidden record or successor: the audit row, what is spent. */
  readonly also?: readonly Operation[]
  /** Where others must name the entry (a proof of it). */
  readonly id?: EntryId
}

/** `overtaken`: an operation of its commit did not hold, for somebody else was first. `refused`: something that it stands on has ended meanwhile. */
export type Outcome = { readonly outcome: 'begun'; readonly entry: Entry } | { readonly outcome: 'overtaken' | 'refused' }

export interface Records<D extends Doc & LivingRecord> {
  readonly collection: Collection<D>
  /** The record as decisions may read it, or undefined. Read after the fence; the decision still checks the handles that it read. */
  get(key: string): Promise<D | undefined>
  /** Begins a record: hidden, entry, revealed. */
  begin(doc: D, beginning: RecordBeginning): Promise<Outcome>
  /** Ends `ends` (the old version) and begins the new one; `guard` says which record it was decided on. */
  change(key: string, guard: Guard<D>, next: Readonly<Record<string, unknown>>, beginning: RecordBeginning): Promise<Outcome>
  /** A change that ends no version, so it needs no entry. One commit with `also`. */
  amend(key: string, guard: Guard<D>, next: Readonly<Record<string, unknown>>, also: readonly Operation[]): Promise<'done' | 'overtaken'>
}

interface RecordsDeps {
  readonly storage: Pick<Storage, 'commit'>
  readonly trustLog: Pick<TrustLog, 'begin' | 'settle' | 'halves' | 'ended'>
  readonly random: Pick<Random, 'token'>
}

interface RecordsOptions<D> {
  /** Names its halves: one for each collection. */
  readonly kind: string
  /** Versions (and identities that reinstating replaces) that a waiting successor may have ended. */
  versions(doc: D): readonly Handle[]
  /** More operations for the commit that reveals (search rows). `doc` is the record as it will be. */
  readonly revealing?: (doc: D) => readonly Operation[]
  /** Fields to set (undefined: to remove) once it is revealed for the first time. */
  readonly settled?: { readonly [F in keyof D]?: D[F] | undefined }
}

const MAX_TRIES = 5

/** False while an entry, or its reveal, is awaited: what will be read next may be something else. */
export const isWhole = ({ hidden, nextEntry }: LivingRecord): boolean => hidden === undefined && nextEntry === undefined

/** Make it before the trust log starts. */
export function newRecords<D extends Doc & LivingRecord>(
  { storage, trustLog, random }: RecordsDeps,
  collection: Collection<D>,
  { kind, versions, revealing = () => [], settled }: RecordsOptions<D>,
): Records<D> {
  trustLog.halves(kind, {
    reveal: async (key, id) => {
      const doc = await collection.get(key)
      if (doc?.hidden === id)
        return [collection.changing(key, guard({ hidden: id }), { ...settled, ...without('hidden') }), ...revealing(doc)]
      if (doc?.nextEntry !== id) return []
      const next = successor(doc.next ?? {})
      const whole = { ...doc, ...next } as D // the successor was checked with the record when it was written
      return [collection.changing(key, guard({ nextEntry: id }), { ...next, ...without('nextEntry', 'next') }), ...revealing(whole)]
    },
    drop: async (key, id) => {
      const doc = await collection.get(key)
      if (doc?.hidden === id) return [collection.taking(key, guard({ hidden: id }))]
      return doc?.nextEntry === id ? [collection.changing(key, guard({ nextEntry: id }), without('nextEntry', 'next'))] : []
    },
  })
  // Guards and changes over LivingRecord's own fields, which every D has.
  const guard = (fields: Guard<LivingRecord>): Guard<D> => fields as Guard<D>
  const settledNow = guard({ hidden: null, nextEntry: null })
  const without = (...fields: (keyof LivingRecord)[]) => Object.fromEntries(fields.map((field) => [field, undefined])) as Partial<D>

  const begin = async (key: string, beginning: RecordBeginning, id: EntryId, operation: Operation): Promise<Outcome> => {
    const { also = [], ...rest } = beginning
    const begun = await trustLog.begin({ ...rest, kind, key, id, hidden: [operation, ...also] })
    return begun.outcome === 'failed' ? { outcome: 'overtaken' } : begun
  }

  /** A successor that waits is never overwritten: it is completed or given up first. */
  const withoutSuccessor = async (key: string): Promise<D | undefined> => {
    const doc = await collection.get(key)
    if (doc?.nextEntry === undefined) return doc
    await trustLog.settle(kind, key)
    return collection.get(key)
  }

  return {
    collection,
    get: async (key) => {
      for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
        const doc = await collection.get(key)
        if (doc === undefined) return undefined
        const waits = doc.hidden !== undefined || (doc.nextEntry !== undefined && versions(doc).some((one) => trustLog.ended.has(one)))
        if (!waits) return doc
        await trustLog.settle(kind, key)
      }
      // It is there, and what it is cannot be said: not the same as that there is none
      return refuse('unavailable', 'what was asked for is being changed', { retryAfterSeconds: 1 })
    },
    begin: (doc, beginning) => {
      const id = beginning.id ?? newId(random, 'ent')
      return begin(String(doc[collection.spec.key]), beginning, id, collection.inserting({ ...doc, hidden: id }))
    },
    change: async (key, decidedOn, next, beginning) => {
      const id = beginning.id ?? newId(random, 'ent')
      await withoutSuccessor(key)
      const beside = { nextEntry: id, next } as unknown as Partial<D>
      return begin(key, beginning, id, collection.changing(key, { ...decidedOn, ...settledNow }, beside))
    },
    amend: async (key, decidedOn, next, also) => {
      const doc = await withoutSuccessor(key)
      if (doc === undefined) return 'overtaken'
      const to = successor(next)
      const whole = { ...doc, ...to } as D // checked with its schema by `changing`
      const committed = await storage.commit([collection.changing(key, { ...decidedOn, ...settledNow }, to), ...revealing(whole), ...also])
      return committed.ok ? 'done' : 'overtaken'
    },
  }
}

const successor = (next: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(next).map(([name, value]) => [name, value === null ? undefined : value]))
