import type { FindNamespaceDeps } from '../../identity/namespaces/find.js'
import { type AgentId, audienceOf, cardBaseUrlOf } from '../../protocol/ids.js'
import type { Hit } from '../../protocol/search.js'
import type { CardHit, CardSummary } from '../../storage/storage.js'
import { currentVerdict } from '../cards/view.js'

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
