import { z } from 'zod'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { base64url, fromBase64url, utf8 } from '../../lib/bytes.js'
import type { JsonObject, JsonValue } from '../../lib/json.js'
import { readCardJson } from '../../protocol/cards/card-model.js'
import type { Jkt } from '../../protocol/ids.js'
import { canonical } from '../jose/canonical-json.js'
import { readPublicJwk, thumbprint, type VerificationKey } from '../jose/jwk.js'
import { type EncodedJws, isSignedBy, type JwsHeader, type JwsRule, readHeader } from '../jose/jws.js'
import type { KeysFor } from '../jose/jwt.js'
import { type Signer, signJws } from '../jose/sign.js'
import {
  CARD_PROFILES,
  type CardProfile,
  canonicalCard,
  cardForm,
  uncoveredPaths,
  uncoveredSecurity,
  withoutSignatures,
} from './canonical-card.js'

const RULE: JwsRule = { maxBytes: 8192, algs: SIGNATURE_ALGORITHMS, typ: ['jose', undefined] }
/** Maximum number of signatures of a card, and of keys that are tried for each signature. */
const MAX_SIGNATURES = 8

const Signature = z.object({
  protected: z.string().max(8192),
  signature: z.string().max(1024),
  header: z.record(z.string(), z.unknown()).nullish(),
})

export type SignatureVerdict = { readonly index: number; readonly kid?: string } & (
  | {
      readonly state: 'valid'
      readonly profile: CardProfile
      readonly jkt: Jkt
      readonly alg: SignatureAlgorithm
      /** JSON Pointers of the parts of the card that the signature does not cover. */
      readonly uncovered: readonly string[]
      /** Those of them that concern endpoints and security. */
      readonly uncoveredSecurity: readonly string[]
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
  if (unprotected.includes('crit') || unprotected.some((name) => name in header))
    return { ...labels, state: 'invalid', hint: 'its unprotected header repeats or extends the protected one' }
  const keys = (await keysFor(header.kid)).slice(0, MAX_SIGNATURES)
  if (keys.length === 0) return { ...labels, state: 'unknown_key', hint: 'no registered key has this `kid`' }
  const found = await findForm(forms, header, parsed.data, keys)
  if (found === undefined)
    return {
      ...labels,
      state: 'invalid',
      hint: `no registered key signed this card in one of the forms ${CARD_PROFILES.join(', ')}`,
    }
  const uncovered = uncoveredPaths(card, cardForm(card, found.profile))
  return { ...labels, state: 'valid', ...found, uncovered, uncoveredSecurity: uncoveredSecurity(uncovered) }
}

async function findForm(
  forms: Forms,
  header: JwsHeader,
  signature: Pick<EncodedJws, 'protected' | 'signature'>,
  keys: readonly VerificationKey[],
): Promise<{ readonly profile: CardProfile; readonly jkt: Jkt; readonly alg: SignatureAlgorithm } | undefined> {
  for (const candidate of keys) {
    const key = readPublicJwk(candidate.jwk, candidate.alg === undefined ? [header.alg] : [candidate.alg])
    if (typeof key === 'string') continue
    for (const { profile, payload } of forms) {
      const encoded = { protected: signature.protected, payload, signature: signature.signature }
      if (await isSignedBy({ header, encoded }, key)) return { profile, jkt: key.jkt, alg: key.alg }
    }
  }
  return undefined
}

/**
 * Adds a signature to a card of version 1.0. Members without a value are removed first, so that all canonical forms are equal. If they cannot be
 * equal (an unknown member, a security requirement without scopes), the card is signed as it is and verifies under the profile `raw`.
 */
export async function signCard(card: JsonObject, signer: Signer, options: { readonly kid?: string } = {}): Promise<JsonObject> {
  const signable = signableCard(card)
  const header = { alg: signer.alg, kid: options.kid ?? thumbprint(signer.publicJwk), typ: 'JOSE' }
  const jws = await signJws(header, utf8(canonical(signable)), signer)
  const earlier = Array.isArray(card.signatures) ? card.signatures : []
  return { ...signable, signatures: [...earlier, { protected: jws.protected, signature: jws.signature }] }
}

/**
 * Returns the card without `signatures`. Members without a value are removed too, provided that all profiles then agree and the card is still
 * valid.
 */
export function signableCard(card: JsonObject): JsonObject {
  const sdk = cardForm(card, 'sdk')
  // The SDKs omit a required member without a value (`capabilities: {}`), which makes the card invalid.
  const isEquivalent = uncoveredPaths(card, sdk).length === 0 && readCardJson(sdk).state !== 'refused'
  return isEquivalent ? sdk : withoutSignatures(card)
}
