import type { z } from 'zod'
import type { Verdict } from '../protocol/cards/card-view.js'
import type { Handle } from '../protocol/handles.js'
import type { EntryId, OrgId } from '../protocol/ids.js'
import type { Block } from '../protocol/log/entry.js'
import type { Scope } from '../protocol/rights.js'

/** A stored document: plain JSON values under names that are not operators. */
export type Doc = object

export type Key = string
export type Scalar = string | number | boolean | null

/**
 * A typed collection. `key` is the field that names a document; `indexes` are the only ways to find more than one.
 * An index is an ordered list of top-level fields: all but the last are matched by equality, the last gives the order (and may be matched too).
 * A field that holds an array is multikey: a document is found under each of its elements (at most one such field an index).
 * A unique index binds the documents that have all of its fields. A change that would take a taken place in it does not hold.
 * `expires` names a field of epoch seconds after which a document may be purged; it is absent for the reader from that second on.
 */
export interface Spec<D extends Doc> {
  readonly name: string
  readonly schema: z.ZodType<D>
  readonly key: keyof D & string
  readonly indexes: Readonly<Record<string, { readonly fields: readonly (keyof D & string)[]; readonly unique?: boolean }>>
  readonly expires?: keyof D & string
}

/** For who treats collections of every kind alike. What it writes, if anything, has passed the collection's own schema. */
export const anySpec = <D extends Doc>(spec: Spec<D>): Spec<Doc> => spec as unknown as Spec<Doc>

/** All must hold. `null` is absence; `{ expiredBy }`: the field is a number that is at most it; `{ notExpiredBy }`: absent or greater. */
export type Guard<D extends Doc> = { readonly [F in keyof D]?: Scalar | { readonly expiredBy: number } | { readonly notExpiredBy: number } }

/** Fields to set; `undefined` removes one. The result must fit the schema: else it is a bug, thrown before anything is written. */
export type Change<D extends Doc> = { readonly [F in keyof D]?: D[F] | undefined }

export interface Query<D extends Doc> {
  /** Equality on all of the index's fields but the last, which may be matched too; `null` finds what does not have the field. */
  readonly where: { readonly [F in keyof D]?: Scalar }
  readonly limit: number
  readonly order?: 'up' | 'down'
  /** Documents after (in this order) the place of an earlier page's last document. Stable while others are written. */
  readonly after?: Cursor
}
/** Value of the ordering field and key of the last document seen. */
export type Cursor = readonly [Scalar, Key]
export interface Page<D extends Doc> {
  readonly items: readonly D[]
  /** Where the next page begins; absent on the last. */
  readonly next?: Cursor
}

/** One guarded operation of a commit. Made by a collection, so it is typed where it is written. */
export type Operation =
  | { readonly kind: 'insert'; readonly collection: string; readonly doc: Doc }
  | { readonly kind: 'change'; readonly collection: string; readonly key: Key; readonly guard: object; readonly to: object }
  | { readonly kind: 'take'; readonly collection: string; readonly key: Key; readonly guard: object }
  | { readonly kind: 'count'; readonly key: Key; readonly by: number; readonly limit: number; readonly expiresAt: number }
  | { readonly kind: 'index-card'; readonly row: CardRow }
  | { readonly kind: 'unindex-card'; readonly cardId: string; readonly tier: CardTier }

/** What is to be changed, or taken, in a collection that is known. */
export type Changing = Pick<Extract<Operation, { kind: 'change' }>, 'key' | 'guard' | 'to'>
export type Taking = Omit<Changing, 'to'>

export interface Collection<D extends Doc> {
  readonly spec: Spec<D>
  /** `exists`: the key, or a unique index, is taken. */
  insert(doc: D): Promise<'inserted' | 'exists'>
  get(key: Key): Promise<D | undefined>
  find(index: string, query: Query<D>): Promise<Page<D>>
  /** The document after the change, or undefined where it is not there or the guard does not hold. One winner. */
  change(key: Key, guard: Guard<D>, to: Change<D>): Promise<D | undefined>
  /** Removes and returns the document. One winner. */
  take(key: Key, guard: Guard<D>): Promise<D | undefined>
  inserting(doc: D): Operation
  changing(key: Key, guard: Guard<D>, to: Change<D>): Operation
  taking(key: Key, guard: Guard<D>): Operation
}

/** All or nothing, durable when answered; `failed` is the index of the first operation that did not hold. */
export type CommitResult = { readonly ok: true } | { readonly ok: false; readonly failed: number }

export interface Storage {
  /** Declares a collection (creating its table and indexes) or returns it: the same object for the same spec. */
  collection<D extends Doc>(spec: Spec<D>): Collection<D>
  commit(operations: readonly Operation[]): Promise<CommitResult>
  /**
   * Adds `by` to a counter: the sum, or undefined (and nothing added) where it would pass `limit`.
   * The counter is forgotten at the `expiresAt` of its first addition; later ones do not move that.
   */
  count(key: Key, by: number, limit: number, expiresAt: number): Promise<number | undefined>
  readonly log: LogPort
  readonly cards: CardSearchPort
  /** Removes expired documents and counters, a bounded number a call; how many. */
  purge(now: number, limit: number): Promise<number>
  close(): Promise<void>
}

/** What the store's clock said (milliseconds since 1970 UTC) at some moment between two of this process's `monotonicMs`. */
export interface StoreTime {
  readonly ms: number
  readonly sentMs: number
  readonly receivedMs: number
}

/** The trust log's blocks. `append` inserts under the unique number `n` and is durable when answered. */
export interface LogPort {
  append(block: Block): Promise<'appended' | 'taken'>
  /** Blocks from number `from` on, in order, at most `limit`. Only durable ones. */
  read(from: number, limit: number): Promise<readonly Block[]>
  /** The newest durable block, or undefined where the log is empty. Never older than what was durable when asked. */
  head(): Promise<Block | undefined>
  /** Waits while more come who want to read the head, so long as that pays. `waiting`: how many do. */
  gather(waiting: () => number): Promise<void>
  /** What the store's clock said when the head was last read. Absent where the store has no clock but this process's. */
  readonly storeTime?: () => StoreTime | undefined
  /** The number of the block in which the entry stands, or undefined. */
  has(entry: EntryId): Promise<number | undefined>
  /** The block that holds position `seq`, or undefined. */
  blockOf(seq: number): Promise<Block | undefined>
  /** A doorbell: something may have been appended. Returns how to stop. */
  onAppend(ring: () => void): () => void
}

/** Tiers of a card that search knows. A row of a tier is what a caller entitled to it may see, and is matched by nothing else. */
export const CARD_TIERS = ['public', 'authenticated', 'introduced'] as const
export type CardTier = (typeof CARD_TIERS)[number]

/** The searchable words of one card at one tier. One index per tier: hidden rows never change order, score or total of another tier. */
export interface CardRow {
  readonly cardId: string
  readonly tier: CardTier
  readonly orgId: string
  readonly name: string
  readonly description: string
  /** Names, ids and descriptions of skills, joined. */
  readonly skillText: string
  readonly skills: readonly string[]
  readonly tags: readonly string[]
  readonly modes: readonly string[]
  readonly updatedAt: number
  readonly shown: CardSummary
}

/** What search shows of the card to that tier, made when the row is: a search reads nothing else of a card. */
export interface CardSummary {
  readonly orgId: OrgId
  readonly endpoint?: string
  readonly scopes: readonly Scope[]
  /** As it was checked; whether the key that signed has ended since, and the card expired, is for its reader to say. */
  readonly verdict: Verdict
  readonly signer?: { readonly handle: Handle }
  readonly expiresAt?: number
  /** What is current: of endpoint and security, then of each skill. */
  readonly versions: readonly Handle[]
  readonly text: { readonly name: string; readonly description: string; readonly version: string }
  readonly skills: readonly { readonly id: string; readonly name: string; readonly tags: readonly string[] }[]
  /** The words of each field that is searched, once each, as search compares them. */
  readonly words: { readonly name: string; readonly tags: string; readonly skills: string; readonly description: string }
}

export interface CardQuery {
  /** Words, all of which must match; taken literally (no operators, no wildcards). */
  readonly words: readonly string[]
  readonly skill?: string
  /** All of them. */
  readonly tags: readonly string[]
  readonly tier: CardTier
  /** Where given, only these cards (entitlement of an introduced caller: the cards it is introduced to). */
  readonly cardIds?: readonly string[]
  readonly limit: number
  readonly after?: readonly [score: number, cardId: string]
  /** As the page before said. */
  readonly scored?: readonly string[]
}
export interface CardHit {
  readonly cardId: string
  readonly score: number
  /** Absent of a row that an earlier build wrote. */
  readonly shown?: CardSummary
}
export interface CardHits {
  /**
   * Best first: lower score is better, ties by cardId; without words the newest first. The score of a card depends on rows of its tier only,
   * and where `cardIds` is given on its own row only: an introduced caller must not learn what other cards hide.
   */
  readonly hits: readonly CardHit[]
  /** Without any word that is scored it may stop at 10,000. */
  readonly total: number
  /** By which words the hits are scored, where not by all: the others stand in too many cards. By none: the newest come first. */
  readonly scored?: readonly string[]
}
export interface CardSearchPort {
  search(query: CardQuery): Promise<CardHits>
  /** What the rows of these cards show at that tier; a card without such a row is not in it. */
  shown(tier: CardTier, cardIds: readonly string[]): Promise<ReadonlyMap<string, CardSummary>>
  /** Cards with a row that an earlier build wrote, which shows nothing. */
  unshown(limit: number): Promise<readonly string[]>
}

/** The operations of a collection, for a commit. */
export const operationsOf = <D extends Doc>({ name: collection }: Spec<D>): Pick<Collection<D>, 'inserting' | 'changing' | 'taking'> => ({
  inserting: (doc) => ({ kind: 'insert', collection, doc }),
  changing: (key, guard, to) => ({ kind: 'change', collection, key, guard, to }),
  taking: (key, guard) => ({ kind: 'take', collection, key, guard }),
})

/** Operations that belong to no collection. */
export const indexingCard = (row: CardRow): Operation => ({ kind: 'index-card', row })
export const unindexingCard = (cardId: string, tier: CardTier): Operation => ({ kind: 'unindex-card', cardId, tier })
export const counting = (key: Key, by: number, limit: number, expiresAt: number): Operation => ({
  kind: 'count',
  key,
  by,
  limit,
  expiresAt,
})
