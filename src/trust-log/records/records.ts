// Records of features. A record and its log entry are two writes. A new record is hidden until the entry that begins it is in the log. A change
// is stored in `next`, beside the current fields, until the entry that ends the old version is in the log. A reader that finds a hidden record
// or a `next` settles it.
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import type { Handle } from '../../protocol/handles.js'
import { type EntryId, newId } from '../../protocol/ids.js'
import type { Entry } from '../../protocol/log/entry.js'
import type { Collection, Doc, Guard, Operation, Storage } from '../../storage/storage.js'
import type { Beginning, TrustLog } from '../trust-log.js'

/** Fields that the schema of every record must have. `next` holds the fields that change; null removes a field. */
interface LivingRecord {
  /** The entry that begins the record. Until it is in the log, the record counts as absent. */
  readonly hidden?: EntryId | undefined
  readonly nextEntry?: EntryId | undefined
  readonly next?: Readonly<Record<string, unknown>> | undefined
}

/** The entry that begins a record or its next version. */
export interface RecordBeginning extends Pick<Beginning, 'type' | 'begins' | 'dependsOn' | 'ends' | 'digest'> {
  /** Operations for the commit that writes the hidden record or the change: the audit row, consumed values. */
  readonly also?: readonly Operation[]
  /** Set if another document must name the entry, for a proof of it. */
  readonly id?: EntryId
}

/**
 * `overtaken`: an operation of the commit failed, because another writer was first. `refused`: a handle that the record depends on has ended.
 */
export type Outcome = { readonly outcome: 'begun'; readonly entry: Entry } | { readonly outcome: 'overtaken' | 'refused' }

export interface Records<D extends Doc & LivingRecord> {
  readonly collection: Collection<D>
  /**
   * The record as decisions may read it, or undefined. To be called after a read barrier; the decision still checks the handles that it read.
   */
  get(key: string): Promise<D | undefined>
  /** Creates a record: commits it hidden, appends the entry, reveals the record. */
  begin(doc: D, beginning: RecordBeginning): Promise<Outcome>
  /** Ends `ends` (the old version) and begins the new one. `guard` describes the record that the change was decided on. */
  change(key: string, guard: Guard<D>, next: Readonly<Record<string, unknown>>, beginning: RecordBeginning): Promise<Outcome>
  /** Makes a change that ends no version and so needs no entry, in one commit with `also`. */
  amend(key: string, guard: Guard<D>, next: Readonly<Record<string, unknown>>, also: readonly Operation[]): Promise<'done' | 'overtaken'>
}

interface RecordsDeps {
  readonly storage: Pick<Storage, 'commit'>
  readonly trustLog: Pick<TrustLog, 'begin' | 'settle' | 'halves' | 'ended'>
  readonly random: Pick<Random, 'token'>
}

interface RecordsOptions<D> {
  /** Name of the collection's halves. Each collection needs its own. */
  readonly kind: string
  /** Versions (and identities that reinstating replaces) that a pending change may have ended. */
  versions(doc: D): readonly Handle[]
  /** Further operations for the commit that reveals (search rows). `doc` is the record as it is after that commit. */
  readonly revealing?: (doc: D) => readonly Operation[]
  /** Fields to set when the record is revealed for the first time; undefined removes a field. */
  readonly settled?: { readonly [F in keyof D]?: D[F] | undefined }
}

const MAX_TRIES = 5

/** False while an entry or its reveal is pending: the next read may return another state. */
export const isWhole = ({ hidden, nextEntry }: LivingRecord): boolean => hidden === undefined && nextEntry === undefined

/** Must be called before the trust log starts. */
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
      const whole = { ...doc, ...next } as D // the changed record was checked with its schema when the change was written
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

  /** Returns the record after settling its pending change, which must never be overwritten. */
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
        const waits =
          doc.hidden !== undefined || (doc.nextEntry !== undefined && versions(doc).some((version) => trustLog.ended.has(version)))
        if (!waits) return doc
        await trustLog.settle(kind, key)
      }
      // Not undefined: the record exists, but its state is not known
      return refuse('unavailable', 'the record is being changed; try again', { retryAfterSeconds: 1 })
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
