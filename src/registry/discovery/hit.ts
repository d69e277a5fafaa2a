import { wordsIn } from '../../lib/words.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type AgentId, type Audience, audienceOf, type OrgId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import type { CardSummary, CardTier } from '../../storage/storage.js'
import type { ServedTrustLog } from '../../trust-log/trust-log.js'
import { verdictNow } from '../cards/get.js'
import { holdsWord } from '../cards/search-rows/card-summary.js'

/** A found agent, with all that a call needs. */
export interface Hit {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly audience: Audience
  readonly endpoint?: string
  readonly scopes: readonly Scope[]
  readonly verdict: Verdict
  readonly tier: CardTier
  /** Lower is better. Those of two tiers are of two scales. */
  readonly score: number
  /** Why it was found by words: where they stand, what counts most first. */
  readonly relevance: readonly Field[]
  /** Prose and names by the publisher, 2048 characters each at most. */
  readonly text: CardSummary['text']
  /** Of many the first, so many as fit 8 KiB: the card has all. */
  readonly skills: CardSummary['skills']
}

export const FIELDS = ['name', 'tags', 'skills', 'description'] as const
export type Field = (typeof FIELDS)[number]

/** Where a hit was found. */
export interface FoundAt {
  readonly tier: CardTier
  readonly score: number
  readonly words: readonly string[]
  readonly now: number
}

/** Of a search; what stands after them is passed over. */
export const MAX_WORDS = 16

/** As search compares words; no operators, no wildcards. A text without any word finds nothing. */
export function wordsOf(text = ''): string[] {
  const words = wordsIn(text)
  return words.length > 0 || text.trim() === '' ? words.slice(0, MAX_WORDS) : [text]
}

/** The hit as its tier may see it: nothing of it comes from what another tier sees. */
export function hitOf(
  deps: { readonly trustLog: ServedTrustLog; readonly issuer: string },
  agentId: AgentId,
  shown: CardSummary,
  { tier, score, words, now }: FoundAt,
): Hit {
  return {
    agentId,
    orgId: shown.orgId,
    audience: audienceOf(deps.issuer, agentId),
    ...(shown.endpoint !== undefined && { endpoint: shown.endpoint }),
    scopes: shown.scopes,
    verdict: verdictNow(deps, shown, { tier, now }),
    tier,
    score,
    relevance: FIELDS.filter((field) => holdsWord(shown.words[field], words)),
    text: shown.text,
    skills: shown.skills,
  }
}
