import { type AgentId, audienceOf } from '../../../protocol/ids.js'
import { dependenciesOf } from '../../../protocol/standing.js'
import type { CacheableRead } from '../../../trust-log/cache.js'
import type { ViewTier } from '../publishing/compose.js'
import type { CardsStore } from '../store.js'
import { type CardReliance, relianceIn } from './reliance.js'

interface RelianceDeps {
  readonly cards: CardsStore
  readonly issuer: string
}

/** Reads the agent's current card; undefined without a published one. The caller checks that its versions and key stand. */
export const findReliance = async (
  deps: RelianceDeps,
  agentId: AgentId,
  tier: ViewTier = 'introduced',
): Promise<CardReliance | undefined> => (await readReliance(deps, agentId, tier))?.value

/**
 * Like `findReliance` for the `introduced` tier, from a cache where possible. The result may lack what a later revision of non-public parts
 * has added; call `findReliance` before a refusal because something is missing.
 */
export const cachedReliance = (deps: RelianceDeps, agentId: AgentId): Promise<CardReliance | undefined> =>
  deps.cards.reliance.getOrRead(agentId, () => readReliance(deps, agentId, 'introduced'))

async function readReliance(
  { cards, issuer }: RelianceDeps,
  agentId: AgentId,
  tier: ViewTier,
): Promise<CacheableRead<CardReliance> | undefined> {
  const card = await cards.get(agentId)
  if (!card || card.unpublished) return undefined
  const { publication, version, yankedVersions = [], endpoint } = card
  const versions = [card.versions.connection, card.versions[tier]]
  const signer = card.signer ? [card.signer.handle] : []
  const dependencies = dependenciesOf([...versions, ...signer])
  const audience = audienceOf(issuer, agentId)
  return {
    value: { ...relianceIn(card)[tier], audience, publication, version, yankedVersions, endpoint, versions, signer, dependencies },
    dependsOn: dependencies.handles,
  }
}
