import { auditDraft } from '../../audit/audit-draft.js'
import { canonical } from '../../credentials/jose/canonical-json.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { isJsonObject, type JsonValue, parseJson } from '../../lib/json.js'
import type { AgentId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { unchangedGuard } from './card.js'
import { isUsable, requireCredential } from './publishing/check-publication.js'
import { composeCard } from './publishing/compose.js'
import { indexingAsOfNow } from './search-rows/as-of-now.js'

interface RenewInput {
  readonly agentId: AgentId
  readonly sdJwt: string
  readonly releasePolicy?: string | undefined
}

/** Replaces the SD-JWT and its release policy with ones that have the same content and new dates. The version stays, and no handle ends. */
export async function renewCard(
  deps: PublishDeps,
  caller: Caller,
  { agentId, sdJwt, releasePolicy }: RenewInput,
): Promise<{ version: number; expiresAt: number }> {
  const { now } = caller.barrier
  const publisher = await requirePublisher(deps, caller, agentId)
  const card = await deps.cards.get(agentId)
  if (!card?.sdJwt || !card.signer || card.unpublished) return refuse('not_found', 'the agent has no published card with an SD-JWT')
  const signer = await deps.registeredKeys.get(card.signer.keyId)
  if (!signer || !isUsable(deps, signer, now))
    return refuse('key_revoked', 'the key that signed the card was revoked or retired; publish the card with another key')
  const json = parseJson(card.publicCard)
  if (!isJsonObject(json)) throw new Error(`the stored public card of ${agentId} is not a JSON object`)
  const { credential, releaseNumber } = await requireCredential(
    deps,
    { json, signer },
    { agentId, sdJwt, releasePolicy: releasePolicy ?? card.releasePolicy },
    now,
  )
  if (credential.claims.card_version !== card.version)
    return refuse(
      'card_version_stale',
      `card_version is ${credential.claims.card_version}; expected ${card.version}, the published version`,
    )
  if (releasePolicy !== undefined && releaseNumber <= card.releaseNumber)
    return refuse(
      'release_policy_stale',
      `the number of the release policy is ${releaseNumber}; it must be higher than ${card.releaseNumber}`,
    )
  const renewed = { ...card, sdJwt, ...(releasePolicy !== undefined && { releasePolicy }), releaseNumber }
  for (const tier of ['authenticated', 'introduced'] as const)
    if (contentOf(composeCard(renewed, tier).json) !== contentOf(composeCard(card, tier).json))
      return refuse('card_version_immutable', 'a renewal may change dates only; publish the changed card instead')
  const expiresAt = credential.claims.exp
  const row = deps.audit.recording(
    auditDraft(caller, 'cards.renew', { orgId: publisher.orgId, subject: agentId, facts: { version: card.version } }),
  )
  const next = { sdJwt, releasePolicy: renewed.releasePolicy, releaseNumber, expiresAt, changeId: deps.random.token(8) }
  const changing = deps.cards.changing(agentId, unchangedGuard(card), next)
  const { ok } = await deps.storage.commit([changing, ...(await indexingAsOfNow(deps, { ...renewed, expiresAt })), row])
  if (!ok) refuse('card_version_stale', 'the card was published concurrently; read the next version and sign again')
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return { version: card.version, expiresAt }
}

/** Compares cards without the order of lists, because the position of a non-public part in its list is random in each SD-JWT. */
const contentOf = (json: JsonValue): string => canonical(unordered(json))

function unordered(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(unordered).sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1))
  return isJsonObject(value) ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, unordered(one)])) : value
}
