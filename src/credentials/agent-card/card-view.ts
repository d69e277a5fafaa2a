// Verifies what the registry gave of a card, from its bytes and the pinned keys of the registry alone: back to the key of the publisher,
// whose registered key stands in the signed log. A registry that signs in a publisher's place is found out.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import type { SignatureAlgorithm } from '../../lib/algorithms.js'
import { fromBase64url, utf8 } from '../../lib/bytes.js'
import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.js'
import { CardView, type KeyRegistrationProof } from '../../protocol/cards/card-view.js'
import { type Handle, handleOfRegistryKey } from '../../protocol/handles.js'
import { audienceOf } from '../../protocol/ids.js'
import { hashLeaf, verifyInclusion } from '../../protocol/log/merkle.js'
import { stands } from '../../protocol/standing.js'
import { canonical } from '../jose/canonical-json.js'
import { digestOfJson, digestOfText } from '../jose/digest.js'
import { readPublicJwk, type VerificationKey } from '../jose/jwk.js'
import { verifyCardView } from '../jose/token-types.js'
import { logOrigin, verifyCheckpoint } from '../signed-note.js'
import { withoutSignatures } from './canonical-card.js'
import { cardDigest, cardType, verifyCardCredential } from './card-credential.js'
import { verifyCardSignatures } from './card-signatures.js'

/** The registry as it was pinned at first contact, or by configuration. */
export interface RegistryPins {
  readonly issuer: string
  /** JWKs with `kid` and `credence_use`. */
  readonly keys: readonly Readonly<Record<string, unknown>>[]
}

export interface ViewExpectation {
  /** Client id of whom the view was made for. */
  readonly audience: string
  readonly now: number
  /** What is known to have ended, where the caller follows the feed. */
  readonly ended?: { has(handle: Handle): boolean }
}

export interface VerifiedCard {
  /** `verified`: back to the publisher's registered key. `unverified`: the registry says so, and no registered key signed it. */
  readonly state: 'verified' | 'unverified'
  readonly view: CardView
  /** The card as the publisher signed it, with what this view discloses. */
  readonly card: JsonObject
  /** Who signed: organisation or agent, and the thumbprint of its key. */
  readonly publisher?: { readonly owner: string; readonly jkt: string }
}

/** Digest of what no publisher signed: whose card the registry says it is, its facts with the verdict, and the prose that it shows apart. */
export const wordsDigest = ({ orgId, facts, text }: Pick<CardView, 'orgId' | 'facts' | 'text'>): string =>
  digestOfJson({ orgId, facts, text })

const deny = (hint: string): never => refuse('card_signature_invalid', `the card view is refused: ${hint}`)

/** Throws nothing but a Refusal, whatever the bundle is. */
export async function verifyCardViewBundle(bundle: unknown, pins: RegistryPins, expected: ViewExpectation): Promise<VerifiedCard> {
  const parsed = CardView.safeParse(bundle)
  if (!parsed.success) return deny(`its form: ${parsed.error.issues[0]?.path.join('/') ?? ''}`)
  const view = parsed.data
  // Whoever parsed the bundle may have let through what has no canonical form.
  for (const part of [view.claims, view.facts, view.text]) parseJson(JSON.stringify(part), { reason: 'card_signature_invalid' })
  const c0 = parseJson(view.c0, { reason: 'card_signature_invalid' })
  if (!isJsonObject(c0)) return deny('its card is no object')
  await requireRegistryWord(view, c0, pins, expected)
  if (view.proof === undefined)
    return view.sdJwt === undefined
      ? { state: 'unverified', view, card: withoutSignatures(c0) }
      : deny('hidden parts without the registered key of a key')
  const key = await requireRegisteredKey(view.proof, pins, expected)
  const signatures = await verifyCardSignatures(c0, () => [key])
  if (!signatures.some((one) => one.state === 'valid' && one.uncoveredSecurity.length === 0))
    deny('its public card is not signed by the registered key')
  const { statement } = view.proof
  const publisher = { owner: statement.owner, jkt: statement.jkt }
  if (statement.owner !== view.orgId && statement.owner !== view.agentId) deny('another publisher')
  if (view.sdJwt === undefined) return sameClaims(view, withoutSignatures(c0), publisher)
  const { card, claims } = await verifyCardCredential(view.sdJwt, c0, [key], {
    now: expected.now,
    issuer: statement.owner,
    subject: view.audience,
    vct: cardType(pins.issuer),
    cardId: view.agentId,
  })
  if (claims.card_version !== view.version) deny('another version')
  return sameClaims(view, card, publisher)
}

/** What the answer calls the publisher's claims is what the publisher signed. */
function sameClaims(view: CardView, card: JsonObject, publisher: { owner: string; jkt: string }): VerifiedCard {
  if (canonical(view.claims) !== canonical(card)) return deny('its claims are not those that were signed')
  return { state: 'verified', view, card, publisher }
}

/** The view is the registry's, for this caller, of just these bytes. */
async function requireRegistryWord(
  view: CardView,
  c0: JsonObject,
  pins: RegistryPins,
  { audience, now, ended }: ViewExpectation,
): Promise<void> {
  const keys = keysOf(pins, 'card', ended)
  const { claims } = await verifyCardView(view.view, (kid) => keys.filter(({ jwk }) => jwk.kid === kid), {
    issuer: pins.issuer,
    audience,
    now,
  })
  const isOfThese =
    claims.card_id === view.agentId &&
    claims.card_version === view.version &&
    claims.tier === view.tier &&
    claims.card_sha256 === cardDigest(c0) &&
    claims.words_sha256 === wordsDigest(view) &&
    claims.sd_hash === (view.sdJwt === undefined ? undefined : digestOfText(view.sdJwt)) &&
    view.audience === audienceOf(pins.issuer, view.agentId)
  if (!isOfThese) deny('it speaks of other bytes')
  if (ended && !stands(ended, claims.standing.dependsOn)) deny('something that it stands on has ended')
}

/** The key of the registered key, if the log that the registry signs says that it was registered. Never one of the registry's own. */
async function requireRegisteredKey(proof: KeyRegistrationProof, pins: RegistryPins, { ended }: ViewExpectation): Promise<VerificationKey> {
  const { statement, entry, inclusion, checkpoint } = proof
  const signed = await verifyCheckpoint(checkpoint, logOrigin(pins.issuer), keysOf(pins, 'log', ended))
  if (signed === undefined) return deny('its checkpoint is not signed by a pinned key')
  if (entry.digest !== digestOfJson(statement) || !entry.begins?.includes(statement.handle))
    return deny('the entry is not of this registered key')
  if (entry.type !== 'key.registered' && entry.type !== 'member.registered') return deny('the entry registers nothing')
  const isIn = verifyInclusion(sha256, {
    leaf: hashLeaf(sha256, utf8(canonical(entry))),
    index: inclusion.index,
    size: signed.size,
    root: bytes(signed.root),
    proof: inclusion.hashes.map(bytes),
  })
  if (!isIn || inclusion.size !== signed.size || inclusion.seq !== entry.seq) return deny('the entry does not stand in the log')
  // The statement is the registry's word: that it names its key rightly is seen from the key.
  if (jktOf(statement.jwk, statement.alg) !== statement.jkt) return deny('the key is not the one that the registered key names')
  if (pins.keys.some((pin) => pin.kid === statement.jkt || jktOf(pin, 'ES256') === statement.jkt))
    return deny('a key of the registry in place of the publisher’s')
  if (ended?.has(statement.handle)) return deny('the key of the publisher has ended')
  return { jwk: statement.jwk, alg: statement.alg }
}

/** A pinned key that is known to have ended signs for nobody. */
const keysOf = ({ keys }: RegistryPins, use: string, ended: ViewExpectation['ended']): VerificationKey[] =>
  keys
    .filter((jwk) => jwk.credence_use === use && !(typeof jwk.kid === 'string' && ended?.has(handleOfRegistryKey(jwk.kid))))
    .map((jwk) => ({ jwk, alg: 'ES256' }))

const jktOf = (jwk: Readonly<Record<string, unknown>>, alg: SignatureAlgorithm): string | undefined => {
  const key = readPublicJwk(jwk, [alg])
  return typeof key === 'string' ? undefined : key.jkt
}

const bytes = (text: string): Uint8Array => fromBase64url(text) ?? new Uint8Array()
