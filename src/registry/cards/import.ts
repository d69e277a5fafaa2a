import { cardDigest } from '../../credentials/agent-card/card-credential.js'
import { bestSignature, verifyCardSignatures } from '../../credentials/agent-card/card-signatures.js'
import type { Fault } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { findPublisherKeys } from '../../identity/keys/find.js'
import type { RegisteredKey } from '../../identity/keys/store.js'
import type { JsonObject } from '../../lib/json.js'
import { type CardState, type CardVersion, readCard } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import type { AgentId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { newCard } from './card.js'
import { hintsOf, isUsable, keysByKid, verdictOf } from './publishing/check-publication.js'
import { addressFaults, unusableInterfaces } from './publishing/public-urls.js'
import { saveCard } from './publishing/save-card.js'

export interface CardImported {
  readonly state: CardState
  readonly a2aVersion?: CardVersion | undefined
  /** Why the card was refused, or, for a card that was stored, what cannot be used in it. The verdict has them as hints. */
  readonly faults: readonly Fault[]
  /** Absent when the card was refused; nothing was stored. */
  readonly version?: number
  readonly verdict?: Verdict
}

/**
 * Stores a card unchanged, together with the verdict on its signatures. The card may be unsigned or use an older A2A format.
 * Every part of an imported card is public.
 */
export async function importCard(deps: PublishDeps, caller: Caller, agentId: AgentId, text: string): Promise<CardImported> {
  const { now } = caller.barrier
  const publisher = await requirePublisher(deps, caller, agentId)
  const { state, version: a2aVersion, json, model, faults: refusing, ambiguities } = readCard(text)
  if (state === 'refused' || !json || !model) return { state: 'refused', a2aVersion, faults: refusing }
  const faults = [...ambiguities, ...addressFaults(model, deps), ...unusableInterfaces(model)]
  const { verdict, signer } = await verifyImported(deps, { orgId: publisher.orgId, agentId }, json, { now, faults })
  const previous = await deps.cards.get(agentId)
  const revisionOf = previous?.publicCard === text && !previous.unpublished ? previous : undefined
  if (revisionOf?.verdict.state === verdict.state)
    return { state, a2aVersion, faults, version: revisionOf.version, verdict: revisionOf.verdict }
  const card = newCard(
    { random: deps.random, now, dev: deps.dev },
    {
      agentId,
      orgId: publisher.orgId,
      previous,
      revisionOf,
      publicCard: text,
      cardSha256: cardDigest(json),
      publicModel: model,
      fullModel: model,
      nonPublic: { releaseNumber: previous?.releaseNumber ?? 0 },
      verdict,
      signer,
    },
  )
  const dependsOn = [...publisher.dependsOn, ...(signer ? [signer.handle] : [])]
  await saveCard(deps, caller, { previous, card, dependsOn }, 'cards.import')
  return { state, a2aVersion, faults, version: card.version, verdict }
}

async function verifyImported(
  deps: PublishDeps,
  agent: Parameters<typeof findPublisherKeys>[1],
  json: JsonObject,
  { now, faults }: { readonly now: number; readonly faults: readonly Fault[] },
): Promise<{ verdict: Verdict; signer?: RegisteredKey }> {
  const keys = (await findPublisherKeys(deps, agent)).filter((key) => isUsable(deps, key, now))
  const verdicts = await verifyCardSignatures(json, keysByKid(keys))
  const valid = bestSignature(verdicts, () => true)
  const signer = valid && keys.find(({ jkt }) => jkt === valid.jkt)
  if (valid && signer && valid.uncoveredSecurity.length === 0) return { verdict: verdictOf(valid, signer, { now, hints: faults }), signer }
  const isUnknown = verdicts.length > 0 && verdicts.every((verdict) => verdict.state === 'unknown_key')
  const state = verdicts.length === 0 ? 'unsigned' : isUnknown ? 'unknown_key' : 'invalid'
  const ofSignatures = verdicts.flatMap((verdict): Fault[] =>
    verdict.state === 'valid' ? [...verdict.uncoveredSecurity] : [{ pointer: `/signatures/${verdict.index}`, hint: verdict.hint }],
  )
  return { verdict: { state, checkedAt: now, uncovered: [], hints: hintsOf([...ofSignatures, ...faults]) } }
}
