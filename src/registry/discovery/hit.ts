import type { FindNamespaceDeps } from '../../identity/namespaces/find.js'
import { wordsIn } from '../../lib/words.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type AgentId, type Audience, audienceOf, cardBaseUrlOf, type OrgId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import type { CardSummary, CardTier } from '../../storage/storage.js'
import { includesWord } from '../cards/search-rows/card-summary.js'
import { currentVerdict } from '../cards/view.js'

/** An agent that a search found, with everything that a caller needs to call it. */
export interface Hit {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly audience: Audience
  /** For the card resolver of an A2A SDK. */
  readonly cardBaseUrl: string
  readonly endpoint?: string
  readonly scopes: readonly Scope[]
  readonly verdict: Verdict
  readonly tier: CardTier
  /** Lower is better, and may be negative. Scores of different tiers cannot be compared. */
  readonly score: number
  /** The fields that contain a word of the query, in the order of FIELDS, the most important first. */
  readonly relevance: readonly Field[]
  /** Since when the publisher advises against this version of the card, and the agent to call in its place. */
  readonly deprecated?: NonNullable<CardSummary['deprecated']>
  /** The publisher's texts, each cut off after 2048 characters. */
  readonly text: CardSummary['text']
  /** The first skills of the card, as many as fit into 8192 characters of JSON. */
  readonly skills: CardSummary['skills']
}

const FIELDS = ['name', 'tags', 'skills', 'description'] as const
type Field = (typeof FIELDS)[number]

export interface HitContext {
  readonly tier: CardTier
  readonly score: number
  readonly words: readonly string[]
  readonly now: number
}

/** Maximum number of words in a query; further words are ignored. */
export const MAX_QUERY_WORDS = 16

/**
 * The words of a query, normalised like the words of the index. There are no operators and no wildcards. A non-blank text without any
 * word matches nothing.
 */
export function queryWords(text = ''): string[] {
  const words = wordsIn(text)
  return words.length > 0 || text.trim() === '' ? words.slice(0, MAX_QUERY_WORDS) : [text]
}

/** Makes a hit from the summary of one tier only. */
export async function hitOf(
  deps: FindNamespaceDeps & { readonly issuer: string },
  agentId: AgentId,
  summary: CardSummary,
  { tier, score, words, now }: HitContext,
): Promise<Hit> {
  const audience = audienceOf(deps.issuer, agentId)
  return {
    agentId,
    orgId: summary.orgId,
    audience,
    cardBaseUrl: cardBaseUrlOf(audience),
    ...(summary.endpoint !== undefined && { endpoint: summary.endpoint }),
    scopes: summary.scopes,
    verdict: await currentVerdict(deps, summary, { tier, now }),
    tier,
    score,
    relevance: FIELDS.filter((field) => includesWord(summary.tokens[field], words)),
    ...(summary.deprecated && { deprecated: summary.deprecated }),
    text: summary.text,
    skills: summary.skills,
  }
}
