import { auditDraft } from '../../../audit/audit-draft.js'
import { cardDigest } from '../../../credentials/agent-card/card-credential.js'
import { bestSignature, verifyCardSignatures } from '../../../credentials/agent-card/card-signatures.js'
import type { Fault } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import { findPublisherKeys } from '../../../identity/keys/find.js'
import type { RegisteredKey } from '../../../identity/keys/store.js'
import { takingName } from '../../../identity/names/agent-names.js'
import type { GuardedFetch } from '../../../lib/guarded-fetch/guarded-fetch.js'
import type { JsonObject } from '../../../lib/json.js'
import type { A2aVersion, CardState } from '../../../protocol/cards/card-model.js'
import type { CardFault } from '../../../protocol/cards/card-rules.js'
import type { Verdict } from '../../../protocol/cards/card-view.js'
import type { AgentId } from '../../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from '../authority.js'
import { newCard } from '../card.js'
import { type CheckedReading, checkCard } from '../lint/all-faults.js'
import { hintsOf, isUsable, keysByKid, verdictOf } from '../publishing/check-publication.js'
import { coveringNamespace } from '../publishing/covering-namespace.js'
import { saveCard } from '../publishing/save-card.js'
import { currentVerdict } from '../view.js'
import { type CardSource, cardTextOf } from './card-text.js'

export interface CardImported {
  readonly state: CardState
  readonly a2aVersion?: A2aVersion | undefined
  /**
   * Why the card was refused; or, for a card that was stored, what is not as A2A demands, and what cannot be used in it. At most MAX_FAULTS. The
   * verdict has the first ones as hints.
   */
  readonly faults: readonly CardFault[]
  /** The number of further faults. */
  readonly moreFaults: number
  /** The URL that the card was fetched from, after redirects. */
  readonly source?: string
  /** Absent when the card was refused; nothing was stored. */
  readonly version?: number
  readonly verdict?: Verdict
}

/** Faults in the response. */
const MAX_FAULTS = 256

export interface ImportDeps extends PublishDeps {
  readonly guardedFetch: GuardedFetch
}

/**
 * Stores a card unchanged, together with the verdict on its signatures. The card may be unsigned, use an older A2A format, or not follow A2A:
 * it is refused only if it is not JSON or names no endpoint. Every part of an imported card is public.
 */
export async function importCard(deps: ImportDeps, caller: Caller, agentId: AgentId, from: CardSource): Promise<CardImported> {
  const { now } = caller.barrier
  const publisher = await requirePublisher(deps, caller, agentId)
  const { text, source } = await cardTextOf(deps, from, caller)
  const reading = checkCard(text ?? '', deps)
  const { state, version: a2aVersion, json, allFaults, ambiguities } = reading
  const model = reading.model ?? reading.lenientModel
  const faults = text === undefined ? NOT_UTF8 : allFaults
  const result = {
    state,
    a2aVersion,
    faults: faults.slice(0, MAX_FAULTS),
    moreFaults: Math.max(0, faults.length - MAX_FAULTS),
    ...(source !== undefined && { source }),
  }
  const host = source === undefined ? {} : { host: new URL(source).host }
  /** A request to another host has an audit row, also if nothing is stored. */
  const recordUnstored = async (): Promise<void> => {
    if (source !== undefined)
      await deps.audit.record(auditDraft(caller, 'cards.import', { orgId: publisher.orgId, subject: agentId, facts: { state, ...host } }))
  }
  if (text === undefined || !json || !model) {
    await recordUnstored()
    return result
  }
  const { verdict, signer } = await verifyImported(deps, { orgId: publisher.orgId, agentId }, json, { now, state, faults, ambiguities })
  const previous = await deps.cards.get(agentId)
  const revisionOf = previous?.publicCard === text && !previous.unpublished ? previous : undefined
  const namespace = signer && (await coveringNamespace(deps, publisher.orgId, model))
  if (revisionOf?.verdict.state === verdict.state && revisionOf.namespace?.ver === namespace?.ver) {
    await recordUnstored()
    return { ...result, version: revisionOf.version, verdict: await currentVerdict(deps, revisionOf, { tier: 'public', now }) }
  }
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
      namespace,
      source,
    },
  )
  const dependsOn = [...publisher.dependsOn, ...(signer ? [signer.handle] : []), ...(namespace ? [namespace.ver] : [])]
  const also = namespace ? await takingName(deps, namespace.name, { id: agentId, ...publisher }) : []
  await saveCard(deps, caller, { previous, card, dependsOn, also, ...host }, 'cards.import')
  return { ...result, version: card.version, verdict: await currentVerdict(deps, card, { tier: 'public', now }) }
}

const NOT_UTF8: readonly CardFault[] = [{ code: 'not-json', pointer: '', hint: 'invalid JSON: not UTF-8' }]

const NOT_COUNTED: Fault = {
  pointer: '/signatures',
  hint: 'no signature counts, because readers of A2A 0.3 and 1.0 cannot read this card, or read it differently',
}

async function verifyImported(
  deps: PublishDeps,
  agent: Parameters<typeof findPublisherKeys>[1],
  json: JsonObject,
  {
    now,
    state: cardState,
    faults,
    ambiguities,
  }: Pick<CheckedReading, 'state' | 'ambiguities'> & {
    readonly now: number
    readonly faults: readonly CardFault[]
  },
): Promise<{ verdict: Verdict; signer?: RegisteredKey }> {
  const without = (state: Verdict['state'], hints: readonly Fault[]) => ({
    verdict: { state, checkedAt: now, uncovered: [], hints: hintsOf(hints) },
  })
  // Readers disagree about such a card, or do not read it, so no signature of it says what its caller will do
  if (cardState === 'nonconformant') return without(cardState, faults)
  if (cardState === 'legacy' || ambiguities.length > 0)
    return !Array.isArray(json.signatures) || json.signatures.length === 0
      ? without('unsigned', faults)
      : without('invalid', [NOT_COUNTED, ...faults])
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
  return without(state, [...ofSignatures, ...faults])
}
