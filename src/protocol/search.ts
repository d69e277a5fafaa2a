// The request and the response of `discovery.search`, as clients see them.
import type { Verdict } from './cards/card-view.js'
import type { AgentId, Audience, OrgId } from './ids.js'
import type { OptionNames } from './options.js'

/** The criteria of a search. All filters must match; of the words of `text`, cards with more of them come first. */
export interface SearchOptions {
  /** Words, a name, or a task in a sentence. */
  readonly text?: string
  readonly skill?: string
  readonly tags?: readonly string[]
  readonly organisation?: string
  /** A DNS name that the agent's organisation has proved. */
  readonly namespace?: string
  /** State of the verdict, such as `signed`. */
  readonly verdict?: string
  /** Media types that the agent accepts or returns. */
  readonly modes?: readonly string[]
  readonly binding?: string
  readonly capability?: string
  /** URI of an A2A extension. */
  readonly extension?: string
  readonly protocolVersion?: string
  /** Epoch seconds. */
  readonly publishedSince?: number
  readonly includeNonconformant?: boolean
  readonly facets?: readonly Facet[]
  readonly sort?: 'relevance' | 'newest'
  readonly limit?: number
  readonly cursor?: string
}

export type Facet =
  | 'skills'
  | 'tags'
  | 'organisations'
  | 'namespaces'
  | 'verdicts'
  | 'modes'
  | 'bindings'
  | 'capabilities'
  | 'extensions'
  | 'protocolVersions'

export const SEARCH_OPTIONS: OptionNames<SearchOptions> = {
  text: true,
  skill: true,
  tags: true,
  organisation: true,
  namespace: true,
  verdict: true,
  modes: true,
  binding: true,
  capability: true,
  extension: true,
  protocolVersion: true,
  publishedSince: true,
  includeNonconformant: true,
  facets: true,
  sort: true,
  limit: true,
  cursor: true,
}

export interface SearchResult {
  /** May be shorter than `limit`, or empty, while there is a cursor. */
  readonly hits: readonly Hit[]
  /** Number of matching cards that the caller may see. It counts the card of a revoked agent for up to a minute more. By a verdict that cards got after publication it counts the hits only. */
  readonly total: number
  /** False: there are at least `total` matching cards. */
  readonly isTotalExact: boolean
  /** For each requested facet its most frequent values, counted among the first 1000 matching cards. */
  readonly facets?: { readonly [F in Facet]?: readonly { readonly value: string; readonly count: number }[] }
  readonly cursor?: string
}

/** A search result with everything that is needed to call the agent. */
export interface Hit {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly audience: Audience
  /** For the card resolver of an A2A SDK. */
  readonly cardBaseUrl: string
  readonly endpoint?: string
  readonly scopes: readonly string[]
  readonly verdict: Verdict
  readonly tier: 'public' | 'authenticated' | 'introduced'
  /** Relevance from 0 to 100, which says nothing about trust. 0 if the search has no text. */
  readonly score: number
  readonly why: Why
  /** Since when the publisher advises against this version of the card, and the agent to call in its place. */
  readonly deprecated?: { readonly at: number; readonly successor?: AgentId | undefined }
  /** The publisher's texts, each cut off after 2048 characters. */
  readonly text: { readonly name: string; readonly description: string; readonly version: string }
  /** The first skills of the card, as many as fit into 8192 characters of JSON. */
  readonly skills: readonly { readonly id: string; readonly name: string; readonly tags: readonly string[] }[]
}

/** The words of the query that the card has, with the fields that have them, and those that it lacks. */
export interface Why {
  readonly found: readonly FoundWord[]
  readonly missing: readonly string[]
}
export interface FoundWord {
  readonly word: string
  readonly fields: readonly string[]
  /** The card has another word: one that means the same, continues the word, or is spelt nearly like it. */
  readonly by?: 'synonym' | 'prefix' | 'spelling'
}
