import type { z } from 'zod'
import type { EntryId } from '../protocol/ids.js'
import type { Block } from '../protocol/log/entry.js'
import type { CardRow, CardSearchPort } from './card-search/port.js'

/** A stored document: plain JSON. A field name neither starts with `$` nor contains a dot. */
export type Doc = object

export type Key = string
export type Scalar = string | number | boolean | null

/**
 * The definition of a collection. `key` names the field that identifies a document; a query for several documents needs one of `indexes`.
 * An index is an ordered list of top-level fields. A query matches all fields but the last by equality; the last field gives the order and may be
 * matched as well. An index may contain one field that holds an array: a document is then found under each element.
 * A unique index applies to documents that have all of its fields. A change that would create a duplicate is not made.
 * `expires` names a field in epoch seconds. From that second on readers no longer see the document, and `purge` may remove it.
 */
export interface Spec<D extends Doc> {
  readonly name: string
  readonly schema: z.ZodType<D>
  readonly key: keyof D & string
  readonly indexes: Readonly<Record<string, { readonly fields: readonly (keyof D & string)[]; readonly unique?: boolean }>>
  readonly expires?: keyof D & string
}

/** A collection of the registry: its spec also says which organisation a document belongs to. */
export interface OwnedSpec<D extends Doc> extends Spec<D> {
  /**
   * Fields that hold ids of organisations, members or agents (one id, or an array of ids). An organisation owns every document in which
   * one of these is its own id, or the id of one of its members or agents. `registry`: no organisation owns the documents.
   */
  readonly ownedBy: readonly (keyof D & string)[] | 'registry'
}

/** For code that treats all collections alike. Every document that it writes must have passed the schema of its collection. */
export const anySpec = <D extends Doc>(spec: Spec<D>): Spec<Doc> => spec as unknown as Spec<Doc>

/** `anySpec` for a list of collections. */
export const anySpecs = <D extends readonly Doc[]>(specs: { readonly [I in keyof D]: OwnedSpec<D[I]> }): readonly OwnedSpec<Doc>[] =>
  specs as unknown as readonly OwnedSpec<Doc>[]

/** A guard matches if all of its conditions do. `null`: the field is absent. `{ expiredBy: t }`: a number of at most t. `{ notExpiredBy: t }`: absent, or greater than t. */
export type Guard<D extends Doc> = { readonly [F in keyof D]?: Scalar | { readonly expiredBy: number } | { readonly notExpiredBy: number } }

/** Fields to set; `undefined` removes a field. If the result does not match the schema, the call throws before it writes anything. */
export type Change<D extends Doc> = { readonly [F in keyof D]?: D[F] | undefined }

export interface Query<D extends Doc> {
  /** Values for all fields of the index but the last, which is optional. `null` matches documents without the field. */
  readonly where: { readonly [F in keyof D]?: Scalar }
  readonly limit: number
  readonly order?: 'up' | 'down'
  /** Continues after the last document of an earlier page, in the same order. Concurrent writes do not shift the pages. */
  readonly after?: Cursor
}
/** The last document of a page: the value of its ordering field, and its key. */
export type Cursor = readonly [Scalar, Key]
export interface Page<D extends Doc> {
  readonly items: readonly D[]
  /** Pass as `after` to get the next page; absent on the last page. */
  readonly next?: Cursor
}

/** An operation of a commit. The methods of a collection create operations, which checks the types of their documents and fields. */
export type Operation =
  | { readonly kind: 'insert'; readonly collection: string; readonly key: Key; readonly doc: Doc }
  | { readonly kind: 'change'; readonly collection: string; readonly key: Key; readonly guard: object; readonly to: object }
  | { readonly kind: 'take'; readonly collection: string; readonly key: Key; readonly guard: object }
  | { readonly kind: 'count'; readonly key: Key; readonly by: number; readonly limit: number; readonly expiresAt: number }
  | { readonly kind: 'index-card'; readonly cardId: string; readonly rows: readonly CardRow[] }

/** Operations that are done as a whole or not at all. */
export type Group = readonly Operation[]

/** A change or removal, without the collection that it applies to. */
export type ChangeRequest = Pick<Extract<Operation, { kind: 'change' }>, 'key' | 'guard' | 'to'>
export type TakeRequest = Omit<ChangeRequest, 'to'>

export interface Collection<D extends Doc> {
  readonly spec: Spec<D>
  /** `exists`: another document has this key, or the same values in a unique index. */
  insert(doc: D): Promise<'inserted' | 'exists'>
  get(key: Key): Promise<D | undefined>
  find(index: string, query: Query<D>): Promise<Page<D>>
  /** The changed document, or undefined if there is no such document or the guard does not match. Of concurrent callers with the same guard one succeeds. */
  change(key: Key, guard: Guard<D>, to: Change<D>): Promise<D | undefined>
  /** Removes and returns the document. Of concurrent callers one succeeds; the others get undefined. */
  take(key: Key, guard: Guard<D>): Promise<D | undefined>
  inserting(doc: D): Operation
  changing(key: Key, guard: Guard<D>, to: Change<D>): Operation
  taking(key: Key, guard: Guard<D>): Operation
}

/** A commit is all or nothing, and durable when it returns. `failed` is the index of the first operation that could not be done. */
export type CommitResult = { readonly ok: true } | { readonly ok: false; readonly failed: number }

export interface Storage {
  /** Opens a collection and creates its table and indexes if needed. Calls with the same spec return the same object. */
  collection<D extends Doc>(spec: Spec<D>): Collection<D>
  /** Resolves when all open collections and their indexes exist. Absent: they exist once they are open. */
  ready?(): Promise<void>
  commit(operations: Group): Promise<CommitResult>
  /**
   * Adds `by` to a counter and returns the sum. If the sum would exceed `limit`, adds nothing and returns undefined.
   * The counter expires at the `expiresAt` of its first addition; later additions do not extend it.
   */
  count(key: Key, by: number, limit: number, expiresAt: number): Promise<number | undefined>
  /** The state of an embedded store. Absent over a database, which fails by itself. */
  state?(): StoreState
  /** Writes a little if nothing was written lately or the last write failed, so that `state` is up to date. Never rejects. */
  probe?(): Promise<void>
  readonly log: LogPort
  readonly cards: CardSearchPort
  /** The number of instances that use the store now, this one included. Absent: only one can. */
  readonly liveInstances?: () => number
  /** Removes at most `limit` expired documents and counters, and returns how many it removed. */
  purge(now: number, limit: number): Promise<number>
  close(): Promise<void>
}

export interface StoreState {
  /** The reason why writes fail, for an operator. Undefined if the last write succeeded. */
  readonly fault: string | undefined
  /** Writes fail until the process starts again. */
  readonly needsRestart: boolean
  readonly freeBytes: number
  /** Size of the reserve; 0 if none is kept. */
  readonly reserveBytes: number
  /** `little`: creations are refused. `reserve`: the reserve was given up, so tokens for other agents are refused, too; revocations succeed. */
  readonly room: 'enough' | 'little' | 'reserve'
}

/** The store's clock, read between two readings of this process's `monotonicMs`. */
export interface StoreTime {
  /** Milliseconds since 1970 UTC. */
  readonly ms: number
  readonly sentMs: number
  readonly receivedMs: number
}

/** What became of a group. `error`: one of its documents does not match its schema; nothing of the group was written. */
export type GroupResult = CommitResult | { readonly ok: false; readonly error: unknown }

export interface Appending {
  /** The number of the block. */
  readonly n: number
  readonly groups: readonly Group[]
  /** Makes the block for the groups that can be done, which are given by their indices. Not called if there is none; then nothing is written. */
  readonly blockOf: (done: readonly number[]) => Block
}

/** The latest horizon of a block, and its number. */
type EndingCursor = readonly [until: number, n: number]

/** The blocks of the trust log. */
export interface LogPort {
  /**
   * Commits groups of operations together with a block, in one transaction; durable when it returns. A group is done as a whole or not at all,
   * and one that fails does not affect the others. `taken`: nothing was written, because the number of the block is in use.
   */
  append(appending: Appending): Promise<readonly GroupResult[] | 'taken'>
  /** At most `limit` durable blocks from number `from` on, in order. */
  read(from: number, limit: number): Promise<readonly Block[]>
  /** The newest durable block, or undefined if the log is empty. Includes every block that was durable when the call was made. */
  head(): Promise<Block | undefined>
  /** Call before `head` to let more readers share one read: waits as long as `countQueued` keeps growing, up to a bound. */
  awaitBatch(countQueued: () => number): Promise<void>
  /** The store's clock at the last read of the head. Absent if the store shares this process's clock. */
  readonly storeTime?: () => StoreTime | undefined
  /** The number of the block that contains the entry, or undefined. */
  has(entry: EntryId): Promise<number | undefined>
  /**
   * Blocks with an ending whose horizon is not before `since` (epoch seconds), or that has none, in the order of their latest horizon. `after` is the
   * `next` of the previous page.
   */
  ending(since: number, limit: number, after?: EndingCursor): Promise<{ readonly blocks: readonly Block[]; readonly next?: EndingCursor }>
  /** The block that contains position `seq`, or undefined. */
  blockOf(seq: number): Promise<Block | undefined>
  /** The RFC 8785 texts, in UTF-8, of the entries from position `seq` on, in order: those of at most `limit` durable blocks. */
  entryTexts(seq: number, limit: number): Promise<readonly Uint8Array[]>
  /**
   * Calls `listener` with a durable block that was appended, or without one if blocks may have been appended. Notifications may be missed,
   * duplicated and out of order. Returns a function that unsubscribes.
   */
  onAppend(listener: (block?: Block) => void): () => void
}

export type {
  CardCursor,
  CardFilter,
  CardHit,
  CardHits,
  CardProperty,
  CardQuery,
  CardRow,
  CardSearchPort,
  CardSummary,
  CardTier,
} from './card-search/port.js'
export { CARD_TIERS } from './card-search/port.js'

/** Creates the operations of a collection, to be passed to `commit`. */
export const operationsOf = <D extends Doc>({
  name: collection,
  key: keyField,
}: Spec<D>): Pick<Collection<D>, 'inserting' | 'changing' | 'taking'> => ({
  inserting: (doc) => ({ kind: 'insert', collection, key: String(doc[keyField]), doc }),
  changing: (key, guard, to) => ({ kind: 'change', collection, key, guard, to }),
  taking: (key, guard) => ({ kind: 'take', collection, key, guard }),
})

/** Replaces all rows of a card in the index of card search. Without rows, the card is not found. */
export const indexingCard = (cardId: string, rows: readonly CardRow[]): Operation => ({ kind: 'index-card', cardId, rows })
export const counting = (key: Key, by: number, limit: number, expiresAt: number): Operation => ({
  kind: 'count',
  key,
  by,
  limit,
  expiresAt,
})
