import type { CardProfile } from '../../credentials/agent-card/canonical-card.js'
import { CARD_TYP, cardDigest } from '../../credentials/agent-card/card-credential.js'
import { formsSignedBy } from '../../credentials/agent-card/card-signatures.js'
import { processSdJwt } from '../../credentials/sd-jwt/verify.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { takingFreeName } from '../../identity/names/agent-names.js'
import type { CardModel } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import type { AgentId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { newCard, nextVersion } from './card.js'
import type { Card } from './card-record.js'
import { addsSignature, verifyStored } from './publishing/added-signature.js'
import { type CheckedCredential, requireCredential, requirePublishable, requireSignedCard } from './publishing/check-publication.js'
import { coveringNamespace } from './publishing/covering-namespace.js'
import { saveCard } from './publishing/save-card.js'
import { currentVerdict } from './view.js'

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
  /** The canonical forms of the public card that a signature of the publisher's key verifies: readers other than this library know one each. */
  readonly verifies: Readonly<Record<CardProfile, boolean>>
}

/**
 * Publishes a card or its next version. A handle ends only where it takes away what callers rely on.
 * A public card with the content of the published one is a revision of that version. If it adds no signature, the bytes and the ETag
 * of the public card stay as they were, so that a change of non-public parts is not visible to anonymous callers.
 * A namespace that was proved since the last publication counts from this one on.
 */
export async function publishCard(deps: PublishDeps, caller: Caller, input: PublishInput): Promise<CardPublished> {
  const { now } = caller.barrier
  const publisher = await requirePublisher(deps, caller, input.agentId)
  const { sdJwt, releasePolicy } = input
  if (releasePolicy !== undefined && sdJwt === undefined)
    return refuse('release_policy_invalid', 'a release policy has no effect without an SD-JWT; nothing was published')
  const previous = await deps.cards.get(input.agentId)
  const agent = { orgId: publisher.orgId, agentId: input.agentId }
  // The SD-JWT is verified with the key that signed the card
  const preferred = [sdJwt && signerOfSdJwt(sdJwt), previous?.verdict.thumbprint]
  const checked = await requireSignedCard(deps, agent, input.publicCard, { now, preferred })
  const cardSha256 = cardDigest(checked.json)
  const revisionOf = previous?.cardSha256 === cardSha256 && !previous.unpublished ? previous : undefined
  const published = revisionOf && (await verifyStored(deps, revisionOf))
  const namespace = await coveringNamespace(deps, publisher.orgId, checked.model)
  const isSame =
    published !== undefined &&
    revisionOf?.signer?.keyId === checked.signer.id &&
    revisionOf.namespace?.ver === namespace?.ver &&
    !addsSignature(checked, published)
  const unchanged = isSame ? revisionOf : undefined
  const verifies = formsSignedBy((isSame ? published : checked).signatures, checked.signer.jkt)
  const nonPublic =
    sdJwt === undefined ? undefined : await requireCredential(deps, checked, { agentId: input.agentId, sdJwt, releasePolicy }, now)
  if (unchanged && sdJwt === unchanged.sdJwt && releasePolicy === unchanged.releasePolicy)
    return publishedOf(deps, unchanged, verifies, now)
  requireNextVersion(previous, nextVersion(previous, revisionOf), nonPublic)
  const card = newCard(
    { random: deps.random, now, dev: deps.dev },
    {
      agentId: input.agentId,
      orgId: publisher.orgId,
      previous,
      revisionOf,
      publicCard: unchanged?.publicCard ?? input.publicCard,
      cardSha256,
      publicModel: checked.model,
      fullModel: nonPublic ? requireFullModel(deps, nonPublic) : checked.model,
      nonPublic: {
        ...(sdJwt !== undefined && { sdJwt }),
        ...(releasePolicy !== undefined && { releasePolicy }),
        releaseNumber: Math.max(previous?.releaseNumber ?? 0, nonPublic?.releaseNumber ?? 0),
        ...(nonPublic && { expiresAt: nonPublic.credential.claims.exp }),
      },
      // A new `checkedAt` would show the revision to anonymous callers.
      verdict: unchanged?.verdict ?? checked.verdict,
      signer: checked.signer,
      namespace,
    },
  )
  const naming = namespace ? await takingFreeName(deps, namespace.name, { id: input.agentId, ...publisher }) : []
  const dependsOn = [...publisher.dependsOn, checked.signer.handle, ...(namespace ? [namespace.ver] : [])]
  await saveCard(deps, caller, { previous, card, dependsOn, also: naming, onlyNonPublic: unchanged !== undefined }, 'cards.publish')
  return publishedOf(deps, card, verifies, now)
}

/** The `kid` of the SD-JWT's header, which is not verified here. */
const signerOfSdJwt = (sdJwt: string): string | undefined => processSdJwt(sdJwt, { typ: [CARD_TYP] }).header.kid

function requireFullModel(deps: PublishDeps, { credential }: CheckedCredential): CardModel {
  return requirePublishable(credential.card, deps).model
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

async function publishedOf(deps: PublishDeps, card: Card, verifies: CardPublished['verifies'], now: number): Promise<CardPublished> {
  const { agentId, version, publicCardSha256 } = card
  return { agentId, version, etag: `"${publicCardSha256}"`, verdict: await currentVerdict(deps, card, { tier: 'public', now }), verifies }
}
