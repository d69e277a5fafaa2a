// Verifies a card view: the response of a registry about a card, for one caller. This needs only the bytes of the view and the pinned keys of
// the registry; nothing is fetched.
//
// 1. The `card-view+jwt` is signed by a pinned card key for this caller, and its digests match the public card, the SD-JWT and the facts.
// 2. The proof shows that the publisher's key is registered: the log's checkpoint is signed by a pinned log key, the entry that registers the
//    key is in the log (Merkle inclusion), and the entry holds the digest of the key statement. A key of the registry itself is refused.
// 3. The registered key signed the public card and, if there is one, the SD-JWT; the view's claims are the signed ones.
//
// So a registry that signs a card in a publisher's place must have registered a key for it, and its log shows that. A view without a proof is only
// the statement of the registry (`unverified`).
//
// Cost: at most four kinds of signature checks (view, checkpoint, card, SD-JWT) and one Merkle path, linear in the size of the view.
// Limits: it does not compare checkpoints, so a log that shows different callers different entries is detected only by monitors and witnesses.
// A key or handle that was revoked after the view was made is detected only with `ended`, which follows the revocation feed.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import type { SignatureAlgorithm } from '../../lib/algorithms.js'
import { fromBase64url } from '../../lib/bytes.js'
import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.js'
import { CardView, type KeyRegistrationProof } from '../../protocol/cards/card-view.js'
import { type Handle, handleOfRegistryKey } from '../../protocol/handles.js'
import { audienceOf } from '../../protocol/ids.js'
import { issuersOf, type KeyStatement } from '../../protocol/key-statement.js'
import { hashLeaf, verifyInclusion } from '../../protocol/log/merkle.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import { stands } from '../../protocol/standing.js'
import { logOrigin, verifyCheckpoint } from '../checkpoint.js'
import { canonical } from '../jose/canonical-json.js'
import { digestOfJson, digestOfText } from '../jose/digest.js'
import { readPublicJwk, type VerificationKey } from '../jose/jwk.js'
import { verifyCardView } from '../jose/token-types.js'
import { withoutSignatures } from './canonical-card.js'
import { cardDigest, cardType, verifyCardCredential } from './card-credential.js'
import { verifyCardSignatures } from './card-signatures.js'

/** Public keys of a registry, pinned at first contact or by configuration. */
export interface RegistryPins {
  readonly issuer: string
  /** JWKs with `kid` and `credence_use`. */
  readonly keys: readonly Readonly<Record<string, unknown>>[]
}

interface ViewExpectation {
  /** Client id of the caller for which the view was made. */
  readonly audience: string
  readonly now: number
  /** The ended set of a caller that follows the revocation feed. */
  readonly ended?: { has(handle: Handle): boolean }
}

/** A misspelt `ended` would accept a card whose key was revoked. */
const VIEW_EXPECTATION: OptionNames<ViewExpectation> = { audience: true, now: true, ended: true }

export interface VerifiedCard {
  /** `verified`: the publisher's registered key signed the card. `unverified`: only the registry vouches for it. */
  readonly state: 'verified' | 'unverified'
  readonly view: CardView
  /** The card as its publisher signed it, with the disclosures of this view. */
  readonly card: JsonObject
  readonly publisher?: CardPublisher
}

/** The key that signed a card: its owner (organisation or agent id), its thumbprint, and when and by whom it was registered. */
interface CardPublisher {
  readonly owner: string
  readonly jkt: string
  /** Epoch seconds. */
  readonly registeredAt: number
  readonly registeredBy: string
}

export const publisherOf = ({ owner, jkt, registeredAt, registeredBy }: KeyStatement): CardPublisher => ({
  owner,
  jkt,
  registeredAt,
  registeredBy,
})

/** Digest of the parts of a view that no publisher signed: the organisation, the facts with the verdict, and the text. */
export const factsDigest = ({ orgId, facts, text }: Pick<CardView, 'orgId' | 'facts' | 'text'>): string =>
  digestOfJson({ orgId, facts, text })

const deny = (hint: string): never => refuse('card_signature_invalid', `invalid card view: ${hint}`)

/** Verifies a card view, and returns its card. Throws only Refusals, for any input. */
export async function verifyCardViewBundle(bundle: unknown, pins: RegistryPins, expected: ViewExpectation): Promise<VerifiedCard> {
  requireOptions('verifyCardViewBundle', expected, VIEW_EXPECTATION)
  const parsed = CardView.safeParse(bundle)
  if (!parsed.success) return deny(`its member ${parsed.error.issues[0]?.path.join('/') ?? ''} is missing or invalid`)
  const view = parsed.data
  // The JSON parser of the caller may accept values that have no canonical form, such as lone surrogates.
  for (const part of [view.claims, view.facts, view.text]) parseJson(JSON.stringify(part), { reason: 'card_signature_invalid' })
  const publicCard = parseJson(view.publicCard, { reason: 'card_signature_invalid' })
  if (!isJsonObject(publicCard)) return deny('its public card is not a JSON object')
  await requireRegistryView(view, publicCard, pins, expected)
  if (view.proof === undefined)
    return view.sdJwt === undefined
      ? { state: 'unverified', view, card: withoutSignatures(publicCard) }
      : deny('it has an SD-JWT, but no proof that the key of its publisher is registered')
  const key = await requireRegisteredKey(view.proof, pins, expected)
  const signatures = await verifyCardSignatures(publicCard, () => [key])
  if (!signatures.some((verdict) => verdict.state === 'valid' && verdict.uncoveredSecurity.length === 0))
    deny('no signature of the registered key covers the endpoints and security members of its public card')
  const { statement } = view.proof
  const publisher = publisherOf(statement)
  if (statement.owner !== view.orgId && statement.owner !== view.agentId)
    deny('the signing key belongs neither to the agent nor to its organisation')
  if (view.sdJwt === undefined) return verifiedCard(view, withoutSignatures(publicCard), publisher)
  const { card, claims } = await verifyCardCredential(view.sdJwt, publicCard, [key], {
    now: expected.now,
    issuers: issuersOf(pins.issuer, statement.owner),
    subject: view.audience,
    vct: cardType(pins.issuer),
    cardId: view.agentId,
  })
  if (claims.card_version !== view.version) deny(`its SD-JWT is of version ${claims.card_version}, not ${view.version}`)
  return verifiedCard(view, card, publisher)
}

/** The claims of the view must be the signed card. */
function verifiedCard(view: CardView, card: JsonObject, publisher: CardPublisher): VerifiedCard {
  if (canonical(view.claims) !== canonical(card)) return deny('its claims differ from the signed card')
  return { state: 'verified', view, card, publisher }
}

/** Requires the registry's signature, for this caller, over the digests of this view. */
async function requireRegistryView(
  view: CardView,
  publicCard: JsonObject,
  pins: RegistryPins,
  { audience, now, ended }: ViewExpectation,
): Promise<void> {
  const keys = keysOf(pins, 'card', ended)
  const { claims } = await verifyCardView(view.view, (kid) => keys.filter(({ jwk }) => jwk.kid === kid), {
    issuer: pins.issuer,
    audience,
    now,
  })
  const matches =
    claims.card_id === view.agentId &&
    claims.card_version === view.version &&
    claims.tier === view.tier &&
    claims.card_sha256 === cardDigest(publicCard) &&
    claims.facts_sha256 === factsDigest(view) &&
    claims.sd_hash === (view.sdJwt === undefined ? undefined : digestOfText(view.sdJwt)) &&
    view.audience === audienceOf(pins.issuer, view.agentId)
  if (!matches) deny('its signed digests do not match its content')
  if (ended && !stands(ended, claims.standing.dependsOn)) deny('a handle that it depends on was revoked')
}

/** The publisher's key, if the signed log registers it and it is not a key of the registry itself. */
async function requireRegisteredKey(proof: KeyRegistrationProof, pins: RegistryPins, { ended }: ViewExpectation): Promise<VerificationKey> {
  const { statement, entry, inclusion, checkpoint } = proof
  const signed = await verifyCheckpoint(checkpoint, logOrigin(pins.issuer), keysOf(pins, 'log', ended))
  if (signed === undefined) return deny('its checkpoint is not signed by a pinned log key')
  if (entry.digest !== digestOfJson(statement)) return deny('its log entry does not belong to its key statement')
  if (entry.type !== 'key.registered' && entry.type !== 'member.registered') return deny('its log entry does not register a key')
  const isIncluded = verifyInclusion(sha256, {
    leaf: hashLeaf(sha256, canonical(entry)),
    index: inclusion.index,
    size: signed.size,
    root: bytesOf(signed.root),
    proof: inclusion.hashes.map(bytesOf),
  })
  if (!isIncluded || inclusion.size !== signed.size || inclusion.seq !== entry.seq) return deny('its log entry is not in the log')
  // Only the registry made the statement, so its thumbprint is compared with the key.
  if (jktOf(statement.jwk, statement.alg) !== statement.jkt)
    return deny('the thumbprint in its key statement is not the thumbprint of the key')
  if (pins.keys.some((pin) => pin.kid === statement.jkt || jktOf(pin, 'ES256') === statement.jkt))
    return deny('its publisher key is a key of the registry')
  if (ended?.has(statement.handle)) return deny('the key of its publisher was revoked')
  return { jwk: statement.jwk, alg: statement.alg }
}

/** The pinned keys of a use, without those that are known to be revoked. */
const keysOf = ({ keys }: RegistryPins, use: string, ended: ViewExpectation['ended']): VerificationKey[] =>
  keys
    .filter((jwk) => jwk.credence_use === use && !(typeof jwk.kid === 'string' && ended?.has(handleOfRegistryKey(jwk.kid))))
    .map((jwk) => ({ jwk, alg: 'ES256' }))

const jktOf = (jwk: Readonly<Record<string, unknown>>, alg: SignatureAlgorithm): string | undefined => {
  const key = readPublicJwk(jwk, [alg])
  return typeof key === 'string' ? undefined : key.jkt
}

const bytesOf = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()
