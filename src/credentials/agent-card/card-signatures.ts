import { z } from 'zod'
import { type Fault, refuse } from '../../errors.js'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { base64url, fromBase64url, utf8 } from '../../lib/bytes.js'
import { isJsonObject, type JsonObject, type JsonValue } from '../../lib/json.js'
import { readCardJson } from '../../protocol/cards/card-model.js'
import type { Jkt } from '../../protocol/ids.js'
import { thumbprint, type VerificationKey } from '../jose/jwk.js'
import { type EncodedJws, fittingKeys, isSignedBy, type JwsHeader, type JwsRule, MAX_KEYS_TRIED, readHeader } from '../jose/jws.js'
import type { KeysFor } from '../jose/jwt.js'
import { type Signer, signJws } from '../jose/sign.js'
import { CARD_PROFILES, type CardProfile, canonicalCard, cardForm, uncoveredPaths, withoutSignatures } from './canonical-card.js'
import { uncoveredSecurity } from './card-security.js'

const RULE: JwsRule = { maxBytes: 8192, algs: SIGNATURE_ALGORITHMS, typ: ['jose', undefined] }
/** Maximum number of signatures of a card. */
const MAX_SIGNATURES = 8

const Signature = z.object({
  protected: z.string().max(8192),
  signature: z.string().max(1024),
  header: z.record(z.string(), z.unknown()).nullish(),
})

export type SignatureVerdict = { readonly index: number; readonly kid?: string } & (
  | {
      readonly state: 'valid'
      /** The form that covers most of the card among those that the signature verifies, and all of these forms. */
      readonly profile: CardProfile
      readonly verifies: readonly CardProfile[]
      readonly jkt: Jkt
      readonly alg: SignatureAlgorithm
      /** JSON Pointers of the parts of the card that the signature does not cover. */
      readonly uncovered: readonly string[]
      /** The parts that concern endpoints and security and that the signature does not cover, by meaning. */
      readonly uncoveredSecurity: readonly Fault[]
    }
  /** `unknown_key`: the caller has no key for the `kid`, so the signature was not checked. */
  | { readonly state: 'invalid' | 'unknown_key'; readonly hint: string }
)

/**
 * Verifies each signature of a card under each profile; `raw` comes first, because it covers the whole card. Only the caller supplies keys:
 * `jku` and `x5u` of a header are ignored, and a `jwk` makes the signature invalid. Never throws.
 *
 * @see [A2A §8.4](https://a2a-protocol.org/latest/specification/#84-agent-card-signing)
 */
export async function verifyCardSignatures(card: JsonObject, keysFor: KeysFor): Promise<SignatureVerdict[]> {
  const signatures: JsonValue = card.signatures ?? []
  if (!Array.isArray(signatures)) return [{ index: 0, state: 'invalid', hint: '`signatures` is not an array' }]
  if (signatures.length > MAX_SIGNATURES) return [{ index: 0, state: 'invalid', hint: `more than ${MAX_SIGNATURES} signatures` }]
  const forms = (['raw', 'spec', 'sdk'] as const).map((profile) => ({ profile, payload: base64url(utf8(canonicalCard(card, profile))) }))
  const verdicts: SignatureVerdict[] = []
  for (const [index, signature] of signatures.entries()) verdicts.push(await verdictOn(card, forms, signature, index, keysFor))
  return verdicts
}

type Forms = readonly { readonly profile: CardProfile; readonly payload: string }[]

async function verdictOn(card: JsonObject, forms: Forms, value: JsonValue, index: number, keysFor: KeysFor): Promise<SignatureVerdict> {
  const parsed = Signature.safeParse(value)
  if (!parsed.success || fromBase64url(parsed.data.signature) === undefined)
    return { index, state: 'invalid', hint: 'it does not have the form { protected, signature } with base64url members' }
  const header = readHeader(parsed.data.protected, RULE)
  if (typeof header === 'string') return { index, state: 'invalid', hint: header }
  const labels = { index, ...(header.kid === undefined ? {} : { kid: header.kid }) }
  // RFC 7515 §7.2.1: the two headers have no name in common. The unprotected header is not used.
  const unprotected = Object.keys(parsed.data.header ?? {})
  if (unprotected.includes('crit') || unprotected.some((name) => Object.hasOwn(header, name)))
    return { ...labels, state: 'invalid', hint: 'its unprotected header repeats or extends the protected one' }
  const keys = await keysFor(header.kid)
  if (keys.length === 0) return { ...labels, state: 'unknown_key', hint: 'no registered key has this `kid`' }
  const found = await findForm(forms, header, parsed.data, keys)
  if (found === undefined)
    return {
      ...labels,
      state: 'invalid',
      hint: `no registered key signed this card in one of the forms ${CARD_PROFILES.join(', ')}`,
    }
  const form = cardForm(card, found.profile)
  return { ...labels, state: 'valid', ...found, uncovered: uncoveredPaths(card, form), uncoveredSecurity: uncoveredSecurity(card, form) }
}

export type ValidSignature = Extract<SignatureVerdict, { state: 'valid' }>

/**
 * The valid signature that covers most of the card: the fewest parts that concern endpoints and security, then the fewest parts, are
 * uncovered. Of equal ones, the first whose key is the earliest in `preferred`, then the first of the card.
 */
export function bestSignature(
  verdicts: readonly SignatureVerdict[],
  isUsable: (verdict: ValidSignature) => boolean,
  preferred: readonly (string | undefined)[] = [],
): ValidSignature | undefined {
  const rank = ({ jkt }: ValidSignature) => (preferred.indexOf(jkt) + preferred.length + 1) % (preferred.length + 1)
  return verdicts
    .filter((verdict) => verdict.state === 'valid')
    .filter(isUsable)
    .sort(
      (a, b) => a.uncoveredSecurity.length - b.uncoveredSecurity.length || a.uncovered.length - b.uncovered.length || rank(a) - rank(b),
    )[0]
}

/** The forms that a signature of this key verifies. Readers other than this library know one form each. */
export function formsSignedBy(verdicts: readonly SignatureVerdict[], jkt: string): Readonly<Record<CardProfile, boolean>> {
  const forms = new Set(verdicts.flatMap((verdict) => (verdict.state === 'valid' && verdict.jkt === jkt ? verdict.verifies : [])))
  return { spec: forms.has('spec'), sdk: forms.has('sdk'), raw: forms.has('raw') }
}

async function findForm(
  forms: Forms,
  header: JwsHeader,
  signature: Pick<EncodedJws, 'protected' | 'signature'>,
  keys: readonly VerificationKey[],
): Promise<Pick<ValidSignature, 'profile' | 'verifies' | 'jkt' | 'alg'> | undefined> {
  // `keys` are those for the `kid` already
  for (const key of fittingKeys({ alg: header.alg }, keys).slice(0, MAX_KEYS_TRIED)) {
    for (const { profile, payload } of forms) {
      const encoded = { protected: signature.protected, payload, signature: signature.signature }
      if (!(await isSignedBy({ header, encoded }, key))) continue
      const verifies = forms.filter((form) => form.payload === payload).map((form) => form.profile)
      return { profile, verifies, jkt: key.jkt, alg: key.alg }
    }
  }
  return undefined
}

/** Signs a card in the form of `signableCard`. */
export const signCard = (card: JsonObject, signer: Signer, options: SignOptions = {}): Promise<JsonObject> =>
  signForms({ ...signableCard(card), ...(card.signatures !== undefined && { signatures: card.signatures }) }, signer, options)

interface SignOptions {
  readonly kid?: string
}

/**
 * Adds one signature for each distinct canonical form of the card, so that every reader can verify one. The first covers the whole card. Earlier
 * signatures are kept, except those with the same `kid`, which these replace.
 */
export async function signForms(
  card: JsonObject,
  signer: Signer,
  { kid = thumbprint(signer.publicJwk) }: SignOptions = {},
): Promise<JsonObject> {
  const header = { alg: signer.alg, kid, typ: 'JOSE' }
  const payloads = [...new Set((['raw', 'spec', 'sdk'] as const).map((profile) => canonicalCard(card, profile)))]
  const added: JsonValue[] = []
  for (const payload of payloads) {
    const jws = await signJws(header, utf8(payload), signer)
    added.push({ protected: jws.protected, signature: jws.signature })
  }
  const signatures = [...earlierSignatures(card).filter((one) => kidOf(one) !== kid), ...added]
  if (signatures.length > MAX_SIGNATURES)
    refuse('card_signature_invalid', `the card would have ${signatures.length} signatures; at most ${MAX_SIGNATURES} are allowed`)
  return { ...withoutSignatures(card), signatures }
}

export function earlierSignatures({ signatures = [] }: JsonObject): readonly JsonValue[] {
  return Array.isArray(signatures) ? signatures : refuse('card_signature_invalid', '`signatures` of the card is not an array')
}

function kidOf(signature: JsonValue): string | undefined {
  const header = isJsonObject(signature) && typeof signature.protected === 'string' ? readHeader(signature.protected, RULE) : ''
  return typeof header === 'string' ? undefined : header.kid
}

/**
 * Returns the card without `signatures` in the form that is signed. An unsigned card is written without members that have no value, if it is
 * still valid then: all canonical forms are equal. Otherwise members with the default value of their type are left out, and the forms differ
 * (`description: ''`, an unknown member, a security requirement without scopes). A card that has signatures stays as it is, because they cover
 * its bytes.
 */
export function signableCard(card: JsonObject): JsonObject {
  if (earlierSignatures(card).length > 0) return withoutSignatures(card)
  const [spec, sdk] = [cardForm(card, 'spec'), cardForm(card, 'sdk')]
  return uncoveredPaths(spec, sdk).length === 0 && readCardJson(sdk).model !== undefined ? sdk : spec
}
