import type { Client } from '../../identity/clients/client.js'
import { AgentId } from '../../protocol/ids.js'
import type { Barrier } from '../../protocol/standing.js'
import { grantWithoutCaller } from '../introductions/decide/grant.js'
import { newIntroduction } from '../introductions/decide/new-introduction.js'
import { DEFAULT_SECONDS, policyDecision } from '../introductions/introduction.js'
import type { IntroductionDeps } from '../introductions/introduction-deps.js'
import type { ResourceAudience } from './find.js'
import type { ResourcesStore } from './store.js'

interface OpenDeps extends IntroductionDeps {
  /** Refuses a client past its rate of creations, and every one while the disk has room for more important writes only. */
  readonly requireCreation: (client: Client) => Promise<void>
  readonly resources: ResourcesStore
}

/**
 * Introduces an agent to a resource whose policy is `open`, at its first token request: within the scopes and the time of the policy, without
 * delegation. Of several requests at once one creates the introduction. While a pair has had one that has not expired, there is no other: after
 * its resource has revoked it, the agent must ask.
 */
export async function introduceToOpen(
  deps: OpenDeps,
  client: Client,
  { resource, target, offer }: ResourceAudience,
  { now }: Barrier,
): Promise<'introduced' | 'refused'> {
  const scopes = resource.policy.scopes ?? offer.scopes
  if (policyDecision(target, client.orgId, { scopes: [...scopes] }).outcome !== 'open') return 'refused'
  const seconds = Math.min(DEFAULT_SECONDS, resource.policy.maxSeconds)
  const input = { to: resource.id, purpose: PURPOSE, scopes, seconds }
  const from = AgentId.parse(client.id)
  const fields = newIntroduction(deps, { from, fromOrg: client.orgId, toOrg: resource.orgId, input, now })
  const introduction = { ...fields, byFirstRequest: true as const }
  const { openPairs } = deps.resources
  // It was revoked, or another request creates it now
  if ((await openPairs.get(introduction.pair)) !== undefined) return 'refused'
  await deps.requireCreation(client)
  const taking = [openPairs.inserting({ id: introduction.pair, from, expiresAt: now + seconds })]
  await grantWithoutCaller(deps, introduction, { task: undefined, target, card: offer, now }, taking)
  return 'introduced'
}

const PURPOSE = 'The policy of the resource is open: created by the first token request.'
