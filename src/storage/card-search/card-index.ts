// The index of a store, as card search uses it. All rules of matching and scoring are in this folder, so all stores find the same cards.
import type { CardSummary, CardTier } from './port.js'

/** The rows that a search may read. Each call applies it in the store, before anything is counted or matched. */
export interface Scope {
  readonly tier: CardTier
  /** Ids of cards that are left out. */
  readonly except: readonly string[]
  /** For each filter, the lists of which a row must be in one. */
  readonly filters: readonly (readonly string[])[]
  readonly publishedSince?: number
  readonly includeNonconformant: boolean
  /** True if the rows need their properties, for facets. */
  readonly withProperties: boolean
}

export interface EntryRow {
  readonly cardId: string
  readonly updatedAt: number
  /** The terms that a search needs, or all terms of the row. */
  readonly terms: string
  /** The properties, if the scope asks for them; else at least the lists of properties and names that were searched. */
  readonly properties: string
}

/** A position in a list. It stays where it is when other entries are added and removed. */
type ListPosition = string | number

export interface FoundEntries {
  readonly rows: readonly EntryRow[]
  readonly cut?: Cut
}

/** The list in which the limit was reached, and its last row that is a candidate. After the last list: all rows are candidates. */
export interface Cut {
  readonly list: number
  readonly position: ListPosition
}

/** The parts of a row that a hit shows. */
export interface RowDetails {
  readonly summary: CardSummary
  /** All terms and properties. */
  readonly terms: string
  readonly properties: string
}

/** How a word begins or ends, and how long it is. */
export type WordPattern = ({ readonly startsWith: string } | { readonly endsWith: string }) & {
  readonly lengths?: readonly [min: number, max: number]
}

export interface NewestRange {
  readonly limit: number
  readonly after?: readonly [updatedAt: number, cardId: string]
}

export interface CardIndex {
  /** The number of rows of the tier for each key: a term, the list of a property, or ALL_ROWS. */
  sizes(tier: CardTier, keys: readonly string[]): Promise<ReadonlyMap<string, number>>
  /**
   * The distinct rows of the lists, at most `limit`, list by list, with the terms of these lists. `cut`: of the list with that number, rows up to a
   * position are candidates, and of later lists none; then there is no limit.
   */
  rowsOfLists(scope: Scope, lists: readonly string[], range: { readonly limit: number; readonly cut?: Cut }): Promise<FoundEntries>
  /** All rows of these cards, with all of their terms. */
  rowsOfCards(scope: Scope, cardIds: readonly string[]): Promise<readonly EntryRow[]>
  /** The newest rows, by time of publication and card id. `terms` is empty. */
  newestRows(scope: Scope, range: NewestRange): Promise<readonly EntryRow[]>
  /** At most `limit` words that a row of the tier has or had, the most frequent first if the store counts them. */
  wordsLike(tier: CardTier, pattern: WordPattern, limit: number): Promise<readonly string[]>
  details(tier: CardTier, cardIds: readonly string[]): Promise<ReadonlyMap<string, RowDetails>>
}
