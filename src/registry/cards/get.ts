import type { Audit } from '../../audit/audit.js'
import { auditRow } from '../../audit/audit-row.js'
import { wordsDigest } from '../../credentials/agent-card/card-view.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { signJwt } from '../../credentials/jose/sign.js'
import { CARD_VIEW_TYP, type CardViewClaims } from '../../credentials/jose/token-types.js'
import { parseCheckpointText } from '../../credentials/signed-note.js'
import { refuse } from '../../errors.js'
import { type Caller, isMemberOf } from '../../http/caller.js'
import { type FindAgentDeps, findIntroductionTarget } from '../../identity/agents/find.js'
import { statementOf } from '../../identity/keys/find.js'
import type { JsonObject } from '../../lib/json.js'
import { isJsonObject, parseJson } from '../../lib/json.js'
import type { CardView, KeyRegistrationProof, Verdict } from '../../protocol/cards/card-view.js'
import type { Handle } from '../../protocol/handles.js'
import { type AgentId, audienceOf } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf, joinDependencies, MAX_STANDING_HANDLES, stands } from '../../protocol/standing.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { Barrier, ServedTrustLog } from '../../trust-log/trust-log.js'
import type { Card } from './card-record.js'
import { composeCard, type ViewTier } from './publishing/compose.js'
import type { CardsStore } from './store.js'

export interface GetCardDeps extends FindAgentDeps {
  readonly cards: CardsStore
  readonly trustLog: ServedTrustLog
  readonly keyRing: KeyRing
  readonly audit: Audit
  readonly issuer: string
  /** What entitles an authenticated caller to parts of an agent's card. */
  readonly entitle: (
    caller: Caller,
    agentId: AgentId,
  ) => Promise<{ readonly tier: 'authenticated' | 'introduced'; readonly dependencies: Dependencies }>
}

const VIEW_SECONDS = 300

/** An agent's card as the caller may see it. Unknown, unpublished and ended are one answer. */
export async function getCard(deps: GetCardDeps, caller: Caller | undefined, agentId: AgentId): Promise<CardView> {
  const { view, tier } = await deps.trustLog.afterBarrier(async (fenced) => {
    const found = await findShown(deps, agentId)
    if (!caller) return { view: await publicView(deps, found, fenced), tier: 'public' }
    const { tier, dependencies } =
      caller.id === agentId || isMemberOf(caller, found.card.orgId)
        ? { tier: 'introduced' as const, dependencies: dependenciesOf([]) }
        : await deps.entitle(caller, agentId)
    return { view: await entitledView(deps, found, { caller, tier, dependencies, fenced }), tier }
  })
  if (caller) await deps.audit.record(auditRow(caller, 'cards.get', { subject: agentId, facts: { tier, version: view.version } }))
  return view
}

interface Found {
  readonly card: Card
  readonly agentName: string
  readonly organisationName: string
  /** Identities of the publisher. */
  readonly on: Dependencies['handles']
}

/** A card that is published by an agent that stands. */
export async function findShown(deps: Pick<GetCardDeps, 'cards' | 'trustLog'> & FindAgentDeps, agentId: AgentId): Promise<Found> {
  const [card, contact] = await Promise.all([deps.cards.get(agentId), findIntroductionTarget(deps, agentId)])
  if (!card || card.unpublished || !contact || !stands(deps.trustLog.ended, contact.dependencies.handles))
    return refuse('not_found', 'no such card')
  const organisation = await deps.organisations.get(card.orgId)
  return { card, agentName: contact.name, organisationName: organisation?.name ?? '', on: contact.dependencies.handles }
}

async function publicView(deps: GetCardDeps, { card, agentName, organisationName }: Found, { now, position }: Barrier): Promise<CardView> {
  const { json } = composeCard(card, 'public')
  return {
    agentId: card.agentId,
    orgId: card.orgId,
    audience: audienceOf(deps.issuer, card.agentId),
    version: card.version,
    tier: 'public',
    c0: card.publicCard,
    facts: {
      verdict: verdictNow(deps, card, { tier: 'public', now }),
      asOf: position,
      ...(card.endpoint !== undefined && { endpoint: card.endpoint }),
      scopes: card.scopes,
      publishedAt: card.publishedAt,
      agentName: wellFormed(agentName),
      organisationName: wellFormed(organisationName),
    },
    claims: json,
    text: textOf(card),
  }
}

interface Entitled {
  readonly caller: Caller
  readonly tier: Exclude<ViewTier, 'public'>
  readonly dependencies: Dependencies
  readonly fenced: Barrier
}

async function entitledView(deps: GetCardDeps, found: Found, { caller, tier, dependencies, fenced }: Entitled): Promise<CardView> {
  const { card } = found
  const composed = composeCard(card, tier)
  const standsOn = joinDependencies(
    dependencies,
    caller.dependencies,
    dependenciesOf([...found.on, card.core.ver, ...(card.signer ? [card.signer.handle] : [])]),
  )
  if (standsOn.handles.length > MAX_STANDING_HANDLES)
    refuse('standing_too_large', `the view would stand on more than ${MAX_STANDING_HANDLES} handles`)
  const base = await publicView(deps, found, fenced)
  const facts: CardView['facts'] = {
    ...base.facts,
    verdict: verdictNow(deps, card, { tier, now: fenced.now }),
    scopes: tier === 'introduced' ? card.allScopes : card.scopes,
    ...(card.expiresAt !== undefined && { expiresAt: card.expiresAt }),
  }
  const claims: CardViewClaims = {
    iss: deps.issuer,
    aud: caller.id,
    iat: fenced.now,
    exp: Math.min(fenced.now + VIEW_SECONDS, Math.floor(standsOn.expiresAt)),
    ...(composed.sdJwt !== undefined && { sd_hash: digestOfText(composed.sdJwt) }),
    tier,
    card_id: card.agentId,
    card_version: card.version,
    card_sha256: card.cardSha256,
    words_sha256: wordsDigest({ ...base, facts }),
    standing: { at: fenced.at, dependsOn: [...standsOn.handles] },
  }
  const signer = await deps.keyRing.signer('card')
  const proof = await proofOf(deps, card)
  return {
    ...base,
    tier,
    ...(composed.sdJwt !== undefined && { sdJwt: composed.sdJwt }),
    view: await signJwt({ typ: CARD_VIEW_TYP, kid: signer.kid }, claims, signer),
    ...(proof && { proof }),
    facts,
    claims: composed.json,
  }
}

/** That the publisher's key was registered: its statement, the entry with its digest, and the way to a signed root. */
async function proofOf({ registeredKeys, trustLog }: GetCardDeps, { signer }: Card): Promise<KeyRegistrationProof | undefined> {
  const registeredKey = signer && (await registeredKeys.get(signer.keyId))
  const entry = registeredKey && (await trustLog.find(registeredKey.entry))
  if (!registeredKey || !entry) return undefined
  const checkpoint = await trustLog.checkpoint()
  const size = parseCheckpointText(checkpoint.slice(0, checkpoint.lastIndexOf('\n\n') + 1))?.size
  const inclusion = size === undefined ? undefined : trustLog.inclusion(entry.seq, size)
  return (
    inclusion && { statement: statementOf(registeredKey), entry, inclusion: { ...inclusion, hashes: [...inclusion.hashes] }, checkpoint }
  )
}

export function verdictNow(
  { trustLog }: Pick<GetCardDeps, 'trustLog'>,
  { verdict, signer, expiresAt }: { verdict: Verdict; signer?: { handle: Handle } | undefined; expiresAt?: number | undefined },
  { tier, now }: { readonly tier: ViewTier; readonly now: number },
): Verdict {
  if (signer && trustLog.ended.has(signer.handle)) return { ...verdict, state: 'revoked' }
  // That there is an SD-JWT to expire tells a stranger that something is hidden.
  const hasExpired = tier !== 'public' && expiresAt !== undefined && expiresAt <= now
  return hasExpired ? { ...verdict, state: 'stale' } : verdict
}

function textOf({ publicCard }: Card): CardView['text'] {
  const json = parseJson(publicCard)
  const card: JsonObject = isJsonObject(json) ? json : {}
  return { name: String(card.name ?? ''), description: String(card.description ?? '') }
}

/** A name has come in by a door that takes lone surrogates; what is signed has a canonical form (RFC 8785 §3.2.2.2). */
const wellFormed = (name: string): string => name.replaceAll(/\p{Surrogate}/gu, '\ufffd')
