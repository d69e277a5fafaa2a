import type { z } from 'zod'
import type { Verdict } from '../protocol/cards/card-view.js'
import type { Handle } from '../protocol/handles.js'
import type { AgentId, EntryId, OrgId } from '../protocol/ids.js'
import type { Block } from '../protocol/log/entry.js'
import type { Scope } from '../protocol/rights.js'

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
  | { readonly kind: 'index-card'; readonly row: CardRow }
  | { readonly kind: 'unindex-card'; readonly cardId: string; readonly tier: CardTier }

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
  readonly log: LogPort
  readonly cards: CardSearchPort
  /** The number of instances that use the store now, this one included. Absent: only one can. */
  readonly liveInstances?: () => number
  /** Removes at most `limit` expired documents and counters, and returns how many it removed. */
  purge(now: number, limit: number): Promise<number>
  close(): Promise<void>
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

/** The tiers of a card. A row of a tier contains what a caller entitled to that tier may see, and only searches of that tier read it. */
export const CARD_TIERS = ['public', 'authenticated', 'introduced'] as const
export type CardTier = (typeof CARD_TIERS)[number]

/** The searchable text of one card at one tier. Each tier has an index of its own, so non-public rows never affect order, score or total of another tier. */
export interface CardRow {
  readonly cardId: string
  readonly tier: CardTier
  readonly orgId: string
  readonly name: string
  readonly description: string
  /** Names, ids and descriptions of all skills, joined. */
  readonly skillText: string
  readonly skills: readonly string[]
  readonly tags: readonly string[]
  readonly modes: readonly string[]
  readonly updatedAt: number
  /** True if the card does not follow A2A: found only with `includeNonconformant`. */
  readonly isNonconformant?: boolean
  readonly summary: CardSummary
}

/** The part of a card that a search result shows at that tier. Stored with the row, so a search does not read the card. */
export interface CardSummary {
  readonly orgId: OrgId
  readonly endpoint?: string
  /** The namespace that covered the endpoint at publication, and the version of its proof. */
  readonly namespace?: { readonly name: string; readonly ver: Handle }
  readonly scopes: readonly Scope[]
  /** The verdict at publication. Readers also check whether the proof of the namespace stands, the signing key was revoked or the card expired since. */
  readonly verdict: Verdict
  readonly signer?: { readonly handle: Handle }
  readonly expiresAt?: number
  readonly deprecated?: { readonly at: number; readonly successor?: AgentId | undefined }
  /** Handles of the current versions: of the connection, then of the tier. */
  readonly versions: readonly Handle[]
  readonly text: { readonly name: string; readonly description: string; readonly version: string }
  readonly skills: readonly { readonly id: string; readonly name: string; readonly tags: readonly string[] }[]
  /** The distinct words of each searched field, normalised for search. */
  readonly tokens: { readonly name: string; readonly tags: string; readonly skills: string; readonly description: string }
}

export interface CardQuery {
  /** All words must match. They are taken literally: no operators, no wildcards. */
  readonly words: readonly string[]
  readonly skill?: string
  /** All tags must match. */
  readonly tags: readonly string[]
  readonly includeNonconformant?: boolean
  readonly tier: CardTier
  /** Restricts the search to these cards: those that the caller has an introduction to. */
  readonly cardIds?: readonly string[]
  readonly limit: number
  readonly after?: readonly [score: number, cardId: string]
  /** `scoredWords` of the previous page. */
  readonly scoredWords?: readonly string[]
}
export interface CardHit {
  readonly cardId: string
  readonly score: number
  readonly summary: CardSummary
}
export interface CardHits {
  /**
   * Best first: a lower score is better, ties are ordered by cardId. Without words the newest card comes first. A score depends on rows of
   * its tier only; with `cardIds` on its own row only, so that an introduced caller learns nothing about non-public parts of other cards.
   */
  readonly hits: readonly CardHit[]
  /** If no word is scored, counting may stop at 10,000. */
  readonly total: number
  /** The words that the hits are scored by. Absent if all are; stop words only filter. If empty, the newest card comes first. */
  readonly scoredWords?: readonly string[]
}
export interface CardSearchPort {
  search(query: CardQuery): Promise<CardHits>
  /** The summaries of these cards at that tier, by card id. Cards without a row are left out. */
  summaries(tier: CardTier, cardIds: readonly string[]): Promise<ReadonlyMap<string, CardSummary>>
}

/** Creates the operations of a collection, to be passed to `commit`. */
export const operationsOf = <D extends Doc>({
  name: collection,
  key: keyField,
}: Spec<D>): Pick<Collection<D>, 'inserting' | 'changing' | 'taking'> => ({
  inserting: (doc) => ({ kind: 'insert', collection, key: String(doc[keyField]), doc }),
  changing: (key, guard, to) => ({ kind: 'change', collection, key, guard, to }),
  taking: (key, guard) => ({ kind: 'take', collection, key, guard }),
})

export const indexingCard = (row: CardRow): Operation => ({ kind: 'index-card', row })
export const unindexingCard = (cardId: string, tier: CardTier): Operation => ({ kind: 'unindex-card', cardId, tier })
export const counting = (key: Key, by: number, limit: number, expiresAt: number): Operation => ({
  kind: 'count',
  key,
  by,
  limit,
  expiresAt,
})
