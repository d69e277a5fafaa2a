import { cardDigest } from '../../credentials/agent-card/card-credential.js'
import { verifyCardSignatures } from '../../credentials/agent-card/card-signatures.js'
import type { Fault } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { findPublisherKeys } from '../../identity/keys/find.js'
import type { RegisteredKey } from '../../identity/keys/store.js'
import type { JsonObject } from '../../lib/json.js'
import { type CardState, type CardVersion, readCard } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type AgentId, newId } from '../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from './authority.js'
import { newCard } from './card.js'
import { isUsable, keysByKid, verdictOf } from './publishing/check-publication.js'
import { saveCard, savingContent } from './publishing/save-card.js'

export interface Imported {
  readonly state: CardState
  readonly a2aVersion?: CardVersion | undefined
  readonly faults: readonly Fault[]
  /** Absent where the card was refused: nothing was kept. */
  readonly version?: number
  readonly verdict?: Verdict
}

/** Keeps a card as it is, with its verdict: also one that nobody signed, or in an older form. Never `verified`; all of it is public. */
export async function importCard(deps: PublishDeps, caller: Caller, agentId: AgentId, text: string): Promise<Imported> {
  const { now } = await deps.trustLog.readBarrier()
  const publisher = await requirePublisher(deps, caller, agentId)
  const { state, version: a2aVersion, json, model, faults } = readCard(text)
  if (state === 'refused' || !json || !model) return { state: 'refused', a2aVersion, faults }
  const { verdict, signer } = await judge(deps, { orgId: publisher.orgId, agentId }, json, now)
  const before = await deps.cards.get(agentId)
  const same = before?.publicCard === text && !before.unpublished ? before : undefined
  if (same?.verdict.state === verdict.state) return { state, a2aVersion, faults, version: same.version, verdict: same.verdict }
  const card = newCard(
    { random: deps.random, now },
    {
      agentId,
      orgId: publisher.orgId,
      before,
      same,
      publicCard: text,
      cardSha256: cardDigest(json),
      model,
      whole: model,
      hiding: { releaseNumber: before?.releaseNumber ?? 0 },
      verdict,
      signer,
    },
  )
  const entry = newId(deps.random, 'ent')
  const also = signer ? await savingContent(deps, before, { card, entry, at: now }) : []
  await saveCard(deps, caller, { before, card, entry, also, on: [...publisher.on, ...(signer ? [signer.handle] : [])] }, 'cards.import')
  return { state, a2aVersion, faults, version: card.version, verdict }
}

async function judge(
  deps: PublishDeps,
  of: Parameters<typeof findPublisherKeys>[1],
  json: JsonObject,
  now: number,
): Promise<{ verdict: Verdict; signer?: RegisteredKey }> {
  const keys = (await findPublisherKeys(deps, of)).filter((key) => isUsable(deps, key, now))
  const verdicts = await verifyCardSignatures(json, keysByKid(keys))
  const valid = verdicts.find((one) => one.state === 'valid')
  const signer = valid?.state === 'valid' ? keys.find(({ jkt }) => jkt === valid.jkt) : undefined
  if (valid?.state === 'valid' && signer && valid.uncoveredSecurity.length === 0) return { verdict: verdictOf(valid, signer, now), signer }
  const isUnknown = verdicts.length > 0 && verdicts.every((one) => one.state === 'unknown_key')
  const state = verdicts.length === 0 ? 'unsigned' : isUnknown ? 'unknown_key' : 'invalid'
  const hints = verdicts.flatMap((one) => (one.state === 'valid' ? ['it does not cover security requirements'] : [one.hint]))
  return { verdict: { state, checkedAt: now, uncovered: [], hints: hints.slice(0, 16) } }
}
