import { cardDigest } from '../../credentials/agent-card/card-credential.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { type CardModel, readCardJson } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type AgentId, newId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { newCard, versionAfter } from './card.js'
import type { Card } from './card-record.js'
import { type CheckedCredential, requireCredential, requireSignedCard } from './publishing/check-publication.js'
import { saveCard, savingContent } from './publishing/save-card.js'

export interface PublishInput {
  readonly agentId: AgentId
  readonly c0: string
  readonly sdJwt?: string | undefined
  readonly releasePolicy?: string | undefined
}

export interface Published {
  readonly agentId: AgentId
  readonly version: number
  /** Strong ETag of the public card. */
  readonly etag: string
  readonly verdict: Verdict
}

/** Publishes a card, or its next version. What callers rely on ends only where it changed. */
export async function publishCard(deps: PublishDeps, caller: Caller, input: PublishInput): Promise<Published> {
  const { now } = await deps.trustLog.readBarrier()
  const publisher = await requirePublisher(deps, caller, input.agentId)
  const checked = await requireSignedCard(deps, { orgId: publisher.orgId, agentId: input.agentId }, input.c0, now)
  const before = await deps.cards.get(input.agentId)
  const cardSha256 = cardDigest(checked.json)
  const same = before?.cardSha256 === cardSha256 && !before.unpublished ? before : undefined
  // C0, its bytes and ETag stay as they were where the same key signs the same again: then only hidden parts change.
  const kept = same?.signer?.keyId === checked.signer.id ? same : undefined
  const { sdJwt, releasePolicy } = input
  const hiding =
    sdJwt === undefined ? undefined : await requireCredential(deps, checked, { agentId: input.agentId, sdJwt, releasePolicy }, now)
  if (kept && sdJwt === kept.sdJwt && releasePolicy === kept.releasePolicy) return publishedOf(kept)
  requireNext(before, versionAfter(before, same), hiding)
  const card = newCard(
    { random: deps.random, now },
    {
      agentId: input.agentId,
      orgId: publisher.orgId,
      before,
      same,
      publicCard: kept?.publicCard ?? input.c0,
      cardSha256,
      model: checked.model,
      whole: hiding ? requireWhole(hiding) : checked.model,
      hiding: {
        ...(sdJwt !== undefined && { sdJwt }),
        ...(releasePolicy !== undefined && { releasePolicy }),
        releaseNumber: Math.max(before?.releaseNumber ?? 0, hiding?.releaseNumber ?? 0),
        ...(hiding && { expiresAt: hiding.credential.claims.exp }),
      },
      // Nor does a stranger see when they were checked again.
      verdict: kept?.verdict ?? checked.verdict,
      signer: checked.signer,
    },
  )
  const entry = newId(deps.random, 'ent')
  const also = await savingContent(deps, before, { card, entry, at: now })
  const on = [...publisher.on, checked.signer.handle]
  await saveCard(deps, caller, { before, card, entry, also, on, isSecret: kept !== undefined }, 'cards.publish')
  return publishedOf(card)
}

function requireWhole({ credential }: CheckedCredential): CardModel {
  const { model, faults } = readCardJson(credential.card)
  return model ?? refuse('card_invalid', 'the card with its hidden parts does not fit A2A', { faults })
}

/** Versions rise by one and never change; the number of the release policy rises too. */
function requireNext(before: Card | undefined, version: number, hiding: CheckedCredential | undefined): void {
  const claimed = hiding?.credential.claims.card_version
  if (claimed !== undefined && claimed !== version) {
    const reason = claimed === before?.version ? 'card_version_immutable' : 'card_version_stale'
    refuse(reason, `card_version is ${claimed}; the next version is ${version}`, {
      faults: [{ pointer: '/card_version', hint: `sign version ${version}` }],
    })
  }
  const last = before?.releaseNumber ?? 0
  if (hiding && hiding.credential.disclosures.length > 0 && hiding.releaseNumber <= last)
    refuse('release_policy_stale', 'the number of the release policy does not rise', {
      faults: [{ pointer: '/number', hint: `more than ${last}` }],
    })
}

const publishedOf = ({ agentId, version, publicCardSha256, verdict }: Card): Published => ({
  agentId,
  version,
  etag: `"${publicCardSha256}"`,
  verdict,
})
