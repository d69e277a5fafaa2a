// Card search: the rows that a card is found by, queries and hits. Each store keeps an index of these rows.
import type { Verdict } from '../../protocol/cards/card-view.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import type { FoundWord, Why } from '../../protocol/search.js'

/** The tiers of a card. A row of a tier contains what a caller entitled to that tier may see, and only searches of that tier read it. */
export const CARD_TIERS = ['public', 'authenticated', 'introduced'] as const
export type CardTier = (typeof CARD_TIERS)[number]

/** The searched fields of a card, the most important first. */
export const CARD_FIELDS = ['name', 'skills', 'tags', 'examples', 'description'] as const
export type CardField = (typeof CARD_FIELDS)[number]

/** The properties by which hits can be filtered and counted. Those of which a card has few come first, because a card has at most so many values. */
export const CARD_PROPERTIES = [
  'organisation',
  'namespace',
  'verdict',
  'protocolVersion',
  'binding',
  'capability',
  'mode',
  'skill',
  'extension',
  'tag',
] as const
export type CardProperty = (typeof CARD_PROPERTIES)[number]

/** The searched parts of one card at one tier. */
export interface CardRow {
  readonly cardId: string
  readonly tier: CardTier
  /** The texts of each field: names and ids of skills in `skills`, descriptions and examples of skills in `examples`. */
  readonly texts: { readonly [F in CardField]: readonly string[] }
  readonly properties: { readonly [P in CardProperty]?: readonly string[] }
  /** The card was imported although it breaks the rules of A2A. Searches leave it out unless they ask for such cards. */
  readonly isNonconformant?: boolean
  readonly updatedAt: number
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
  /** What the public catalog shows besides, at the public tier: a digest of the public card, when it was published, and requests that it serves. */
  readonly catalog?: { readonly sha256: string; readonly publishedAt: number; readonly queries: readonly string[] }
}

export interface CardFilter {
  readonly property: CardProperty
  /** The card must have one of these values. They are compared as a whole, without regard to case and width. */
  readonly anyOf: readonly string[]
}

export interface CardQuery {
  /** Cards with any of its words match. Words are taken literally: no operators, no wildcards. Absent: all cards match. */
  readonly text?: string
  /** All filters must match. */
  readonly filters: readonly CardFilter[]
  /** Epoch seconds. */
  readonly publishedSince?: number
  readonly includeNonconformant?: boolean
  readonly facets?: readonly CardProperty[]
  readonly tier: CardTier
  /** The cards that the caller has an introduction to: their rows of the `introduced` tier are searched in place of those of `tier`. */
  readonly introducedTo?: readonly string[]
  /** Default: by relevance, or the newest first if there is no text. */
  readonly sort?: 'relevance' | 'newest'
  readonly limit: number
  /** The `next` of the previous page. */
  readonly after?: CardCursor
}

/** The end of a page, and the plan that the first page was made by, so that cards published in between change neither order nor scores of others. */
export interface CardCursor {
  readonly after: readonly [rank: number, cardId: string]
  readonly plan?: Plan
}

/**
 * How the rows of a query are found and scored. Each word of the query has a weight and the terms that may stand for it, the best first, each with a
 * factor in percent (0: it is not scored). Rows are candidates if they are in one of the lists that are read, which may be cut off at a position.
 * It is part of a cursor, so it is small and leaves out what the query says.
 */
export interface Plan {
  readonly words: readonly { readonly word: string; readonly weight: number; readonly terms: readonly PlannedTerm[] }[]
  /** The lists that are read: those of the name and of some terms, given by their numbers among all terms of the words, or those of a filter. */
  readonly reads: { readonly terms: readonly number[] } | { readonly filter: number }
  readonly cut?: { readonly list: number; readonly position: string | number }
}
export type PlannedTerm = readonly [term: string, factor: number, by?: MatchedBy]
/** How another word of a card stands for a word of the query. */
export type MatchedBy = NonNullable<FoundWord['by']>

export interface CardHit {
  readonly cardId: string
  readonly tier: CardTier
  /** 0 to 100. Without a text: 0. */
  readonly score: number
  readonly why: Why
  readonly summary: CardSummary
}

export type Facets = { readonly [P in CardProperty]?: readonly { readonly value: string; readonly count: number }[] }

export interface CardHits {
  /** Best first; ties are ordered by card id. Order, scores and counts depend only on rows that the caller may see. */
  readonly hits: readonly CardHit[]
  /** Pass as `after` to get the next page; absent on the last page. */
  readonly next?: CardCursor
  readonly total: number
  /** False: at least `total` cards match. */
  readonly isTotalExact: boolean
  /** The values of the matching cards, the most frequent first, counted among the first 1000 cards. */
  readonly facets: Facets
}

export interface CardSearchPort {
  search(query: CardQuery): Promise<CardHits>
  /** Words that begin with this one, in cards of the tier. */
  suggest(tier: 'public' | 'authenticated', beginning: string, limit: number): Promise<readonly string[]>
  /** The summaries of these cards at that tier, by card id. Cards without a row are left out. */
  summaries(tier: CardTier, cardIds: readonly string[]): Promise<ReadonlyMap<string, CardSummary>>
  /** At most `limit` cards that an earlier release has indexed, by other rules. They must be indexed again. */
  outdated(limit: number): Promise<readonly string[]>
}
