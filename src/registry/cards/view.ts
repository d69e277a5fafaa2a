// Builds the response to a reader of a card.
//
// An anonymous caller gets the public card and facts from the registry (verdict, scopes, names); nothing in this response shows that the
// card has non-public parts. An authenticated caller gets in addition
//   - the SD-JWT with the disclosures of the caller's tier,
//   - `view`, a JWT signed with the registry's card key, which binds these exact documents to the caller for VIEW_SECONDS and lists every
//     handle that they depend on, and
//   - `proof`, which proves from the trust log that the publisher's key was registered.
//
// Cost of an entitled view: one or two store reads for the key and its log entry, parsing and hashing of the SD-JWT (at most
// MAX_SD_JWT_BYTES), one signature. Limit: a view that would depend on more than MAX_STANDING_HANDLES handles is refused.

import { factsDigest } from '../../credentials/agent-card/card-view.js'
import { parseCheckpoint } from '../../credentials/checkpoint.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { signJwt } from '../../credentials/jose/sign.js'
import { CARD_VIEW_TYP, type CardViewClaims } from '../../credentials/jose/token-types.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { statementOf } from '../../identity/keys/find.js'
import type { RegisteredKeysStore } from '../../identity/keys/store.js'
import { type FindNamespaceDeps, findProved } from '../../identity/namespaces/find.js'
import type { Clock } from '../../lib/clock.js'
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../lib/json.js'
import { wellFormed } from '../../lib/text.js'
import type { CardView, Freshness, KeyRegistrationProof, Verdict } from '../../protocol/cards/card-view.js'
import type { Handle } from '../../protocol/handles.js'
import { audienceOf } from '../../protocol/ids.js'
import { type Barrier, type Dependencies, dependenciesOf, joinDependencies, MAX_STANDING_HANDLES } from '../../protocol/standing.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { ServedTrustLog } from '../../trust-log/trust-log.js'
import type { Card } from './card-record.js'
import { composeCard, type ViewTier } from './publishing/compose.js'

export interface ViewDeps extends FindNamespaceDeps {
  readonly registeredKeys: RegisteredKeysStore
  readonly trustLog: ServedTrustLog
  readonly keyRing: KeyRing
  readonly clock: Pick<Clock, 'now'>
  readonly issuer: string
}

/** A card whose agent stands, with the names of its publisher. */
export interface PublishedCard {
  readonly card: Card
  readonly agentName: string
  readonly organisationName: string
  /** The last check of the card, if there was one. */
  readonly freshness?: Freshness
  /** Identity handles of the agent, its parents and its organisation. */
  readonly dependsOn: readonly Handle[]
}

const VIEW_SECONDS = 300

/** The response to an anonymous caller. */
export async function publicView(
  deps: ViewDeps,
  { card, agentName, organisationName, freshness }: PublishedCard,
  { now, position }: Barrier,
): Promise<CardView> {
  const { json } = composeCard(card, 'public')
  return {
    agentId: card.agentId,
    orgId: card.orgId,
    audience: audienceOf(deps.issuer, card.agentId),
    version: card.version,
    tier: 'public',
    publicCard: card.publicCard,
    facts: {
      verdict: await currentVerdict(deps, card, { tier: 'public', now }),
      asOf: position,
      ...(card.endpoint !== undefined && { endpoint: card.endpoint }),
      scopes: card.scopes,
      publishedAt: card.publishedAt,
      ...(card.deprecated && { deprecated: deprecationOf(card.deprecated) }),
      agentName: wellFormed(agentName),
      organisationName: wellFormed(organisationName),
      ...(freshness && { freshness }),
    },
    claims: json,
    text: textOf(card),
  }
}

export interface EntitledCaller {
  readonly caller: Caller
  readonly tier: Exclude<ViewTier, 'public'>
  /** The handles that entitle the caller to the tier. */
  readonly dependencies: Dependencies
}

/** The response to an authenticated caller. */
export async function entitledView(
  deps: ViewDeps,
  published: PublishedCard,
  { caller, tier, dependencies }: EntitledCaller,
  barrier: Barrier,
): Promise<CardView> {
  const { card } = published
  const { json, sdJwt } = composeCard(card, tier)
  const verdict = await currentVerdict(deps, card, { tier, now: barrier.now })
  const all = joinDependencies(
    dependencies,
    caller.dependencies,
    dependenciesOf([
      ...published.dependsOn,
      card.versions.connection,
      card.versions[tier],
      ...(card.signer ? [card.signer.handle] : []),
      ...proofOf(card, verdict),
    ]),
  )
  if (all.handles.length > MAX_STANDING_HANDLES)
    refuse('standing_too_large', `the card view would depend on ${all.handles.length} handles; at most ${MAX_STANDING_HANDLES} are allowed`)
  const base = await publicView(deps, published, barrier)
  const facts: CardView['facts'] = {
    ...base.facts,
    verdict,
    scopes: tier === 'introduced' ? card.allScopes : card.scopes,
    ...(card.expiresAt !== undefined && { expiresAt: card.expiresAt }),
  }
  const viewClaims: CardViewClaims = {
    iss: deps.issuer,
    aud: caller.id,
    // Log time may be ahead of the clocks of readers, which would take the view for one from the future
    iat: Math.min(barrier.now, deps.clock.now()),
    exp: Math.min(barrier.now + VIEW_SECONDS, Math.floor(all.expiresAt)),
    ...(sdJwt !== undefined && { sd_hash: digestOfText(sdJwt) }),
    tier,
    card_id: card.agentId,
    card_version: card.version,
    card_sha256: card.cardSha256,
    facts_sha256: factsDigest({ ...base, facts }),
    standing: { at: barrier.seq, dependsOn: [...all.handles] },
  }
  const signer = await deps.keyRing.signer('card')
  const proof = await registrationProof(deps, card)
  return {
    ...base,
    tier,
    ...(sdJwt !== undefined && { sdJwt }),
    view: await signJwt({ typ: CARD_VIEW_TYP, kid: signer.kid }, viewClaims, signer),
    ...(proof && { proof }),
    facts,
    claims: json,
  }
}

/**
 * Proves that the publisher's key was registered: its statement, the log entry with the statement's digest, and the inclusion of that
 * entry.
 */
async function registrationProof({ registeredKeys, trustLog }: ViewDeps, { signer }: Card): Promise<KeyRegistrationProof | undefined> {
  const registeredKey = signer && (await registeredKeys.get(signer.keyId))
  const entry = registeredKey && (await trustLog.find(registeredKey.reissuedEntry ?? registeredKey.entry))
  if (!registeredKey || !entry) return undefined
  const checkpoint = await trustLog.checkpoint()
  const size = parseCheckpoint(checkpoint)?.size
  const inclusion = size === undefined ? undefined : await trustLog.inclusion(entry.seq, size)
  return (
    inclusion && { statement: statementOf(registeredKey), entry, inclusion: { ...inclusion, hashes: [...inclusion.hashes] }, checkpoint }
  )
}

type Judged = Partial<Pick<Card, 'endpoint' | 'namespace' | 'expiresAt'>> &
  Pick<Card, 'verdict'> & { readonly signer?: { readonly handle: Handle } | undefined }

/**
 * The verdict of the publication, unless the signer's key was revoked or, above the public tier, the SD-JWT has expired since. A signed card is
 * verified as long as the proof stands that covered its endpoint when it was published. A later proof of the same name does not count.
 */
export async function currentVerdict(
  deps: FindNamespaceDeps,
  { verdict, signer, endpoint, namespace, expiresAt }: Judged,
  { tier, now }: { readonly tier: ViewTier; readonly now: number },
): Promise<Verdict> {
  if (signer && deps.trustLog.ended.has(signer.handle)) return { ...verdict, state: 'revoked' }
  // Only a card with non-public parts has an SD-JWT that expires, so `stale` would tell an anonymous caller that there are some.
  if (tier !== 'public' && expiresAt !== undefined && expiresAt <= now) return { ...verdict, state: 'stale' }
  const proved = namespace && verdict.state === 'signed' ? await findProved(deps, namespace.name) : undefined
  if (endpoint === undefined || !proved || proved.ver !== namespace?.ver) return verdict
  const { name, method, provedAt } = proved
  return { ...verdict, state: 'verified', namespace: { name, method, provedAt, host: hostOf(endpoint) } }
}

/** The host of an endpoint, in the form of namespaces. */
export const hostOf = (endpoint: string): string => new URL(endpoint).hostname.replace(/\.$/, '')

/** The handle of the proof that the verdict depends on. */
export const proofOf = ({ namespace }: Pick<Judged, 'namespace'>, { state }: Verdict): readonly Handle[] =>
  namespace && state === 'verified' ? [namespace.ver] : []

/** The prose of the publisher, apart from the facts. */
export function textOf({ publicCard, deprecated }: Pick<Card, 'publicCard' | 'deprecated'>): CardView['text'] {
  const json = parseJson(publicCard)
  const card: JsonObject = isJsonObject(json) ? json : {}
  // An imported card may have a name that is no text
  const textOrNone = (value: JsonValue | undefined) => (typeof value === 'string' ? value : '')
  return {
    name: textOrNone(card.name),
    description: textOrNone(card.description),
    ...(deprecated?.note !== undefined && { deprecation: wellFormed(deprecated.note) }),
  }
}

/** A deprecation without its note, which is prose. */
export const deprecationOf = ({ at, successor }: NonNullable<Card['deprecated']>): NonNullable<CardView['facts']['deprecated']> => ({
  at,
  ...(successor && { successor }),
})
