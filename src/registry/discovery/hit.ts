import type { FindNamespaceDeps } from '../../identity/namespaces/find.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type AgentId, type Audience, audienceOf, cardBaseUrlOf, type OrgId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import type { CardHit, CardSummary, CardTier, Why } from '../../storage/storage.js'
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
  /** Relevance from 0 to 100, which says nothing about trust. 0 if the search has no text. */
  readonly score: number
  /** The words of the query that the card has, with the fields that have them, and those that it lacks. */
  readonly why: Why
  /** Since when the publisher advises against this version of the card, and the agent to call in its place. */
  readonly deprecated?: NonNullable<CardSummary['deprecated']>
  /** The publisher's texts, each cut off after 2048 characters. */
  readonly text: CardSummary['text']
  /** The first skills of the card, as many as fit into 8192 characters of JSON. */
  readonly skills: CardSummary['skills']
}

/** Makes a hit from the summary of one tier only. */
export async function hitOf(
  deps: FindNamespaceDeps & { readonly issuer: string },
  agentId: AgentId,
  summary: CardSummary,
  { tier, score, why, now }: Pick<CardHit, 'tier' | 'score' | 'why'> & { readonly now: number },
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
    why,
    ...(summary.deprecated && { deprecated: summary.deprecated }),
    text: summary.text,
    skills: summary.skills,
  }
}
