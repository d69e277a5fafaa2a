import { cardDigest } from '../../credentials/agent-card/card-credential.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { type CardModel, readCardJson } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type AgentId, newId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { newCard, nextVersion } from './card.js'
import type { Card } from './card-record.js'
import { type CheckedCredential, requireCredential, requireSignedCard } from './publishing/check-publication.js'
import { recordingVersion, saveCard } from './publishing/save-card.js'

interface PublishInput {
  readonly agentId: AgentId
  readonly publicCard: string
  readonly sdJwt?: string | undefined
  readonly releasePolicy?: string | undefined
}

export interface CardPublished {
  readonly agentId: AgentId
  readonly version: number
  /** Strong ETag of the public card. */
  readonly etag: string
  readonly verdict: Verdict
}

/**
 * Publishes a card or its next version. Only the versions of changed parts end.
 * A public card with the content of the published one is a revision of that version. If the same key signed both, the bytes and the ETag
 * of the public card stay as they were, so that a change of non-public parts is not visible to anonymous callers.
 */
export async function publishCard(deps: PublishDeps, caller: Caller, input: PublishInput): Promise<CardPublished> {
  const { now } = await deps.trustLog.readBarrier()
  const publisher = await requirePublisher(deps, caller, input.agentId)
  const checked = await requireSignedCard(deps, { orgId: publisher.orgId, agentId: input.agentId }, input.publicCard, now)
  const previous = await deps.cards.get(input.agentId)
  const cardSha256 = cardDigest(checked.json)
  const revisionOf = previous?.cardSha256 === cardSha256 && !previous.unpublished ? previous : undefined
  const unchanged = revisionOf?.signer?.keyId === checked.signer.id ? revisionOf : undefined
  const { sdJwt, releasePolicy } = input
  const nonPublic =
    sdJwt === undefined ? undefined : await requireCredential(deps, checked, { agentId: input.agentId, sdJwt, releasePolicy }, now)
  if (unchanged && sdJwt === unchanged.sdJwt && releasePolicy === unchanged.releasePolicy) return publishedOf(unchanged)
  requireNextVersion(previous, nextVersion(previous, revisionOf), nonPublic)
  const card = newCard(
    { random: deps.random, now },
    {
      agentId: input.agentId,
      orgId: publisher.orgId,
      previous,
      revisionOf,
      publicCard: unchanged?.publicCard ?? input.publicCard,
      cardSha256,
      publicModel: checked.model,
      fullModel: nonPublic ? requireFullModel(nonPublic) : checked.model,
      nonPublic: {
        ...(sdJwt !== undefined && { sdJwt }),
        ...(releasePolicy !== undefined && { releasePolicy }),
        releaseNumber: Math.max(previous?.releaseNumber ?? 0, nonPublic?.releaseNumber ?? 0),
        ...(nonPublic && { expiresAt: nonPublic.credential.claims.exp }),
      },
      // A new `checkedAt` would show the revision to anonymous callers.
      verdict: unchanged?.verdict ?? checked.verdict,
      signer: checked.signer,
    },
  )
  const entry = newId(deps.random, 'ent')
  const also = await recordingVersion(deps, previous, { card, entry, publishedAt: now })
  const dependsOn = [...publisher.dependsOn, checked.signer.handle]
  await saveCard(deps, caller, { previous, card, entry, also, dependsOn, onlyNonPublic: unchanged !== undefined }, 'cards.publish')
  return publishedOf(card)
}

function requireFullModel({ credential }: CheckedCredential): CardModel {
  const { model, faults } = readCardJson(credential.card)
  return model ?? refuse('card_invalid', 'the card with its non-public parts is not a valid A2A card', { faults })
}

/** The SD-JWT must name the version that is published next, and a release policy must have a higher number than the last one. */
function requireNextVersion(previous: Card | undefined, version: number, nonPublic: CheckedCredential | undefined): void {
  const claimed = nonPublic?.credential.claims.card_version
  if (claimed !== undefined && claimed !== version) {
    const reason = claimed === previous?.version ? 'card_version_immutable' : 'card_version_stale'
    refuse(reason, `card_version is ${claimed}; expected ${version}, the next version`, {
      faults: [{ pointer: '/card_version', hint: `sign version ${version}` }],
    })
  }
  const last = previous?.releaseNumber ?? 0
  if (nonPublic && nonPublic.credential.disclosures.length > 0 && nonPublic.releaseNumber <= last)
    refuse('release_policy_stale', `the number of the release policy is ${nonPublic.releaseNumber}; it must be higher than ${last}`, {
      faults: [{ pointer: '/number', hint: `expected a number above ${last}` }],
    })
}

const publishedOf = ({ agentId, version, publicCardSha256, verdict }: Card): CardPublished => ({
  agentId,
  version,
  etag: `"${publicCardSha256}"`,
  verdict,
})
