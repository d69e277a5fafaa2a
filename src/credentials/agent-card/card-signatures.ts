import { z } from 'zod'
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../lib/algorithms.js'
import { base64url, fromBase64url, utf8 } from '../../lib/bytes.js'
import type { JsonObject, JsonValue } from '../../lib/json.js'
import { readCardJson } from '../../protocol/cards/card-model.js'
import type { Jkt } from '../../protocol/ids.js'
import { canonical } from '../jose/canonical-json.js'
import { readPublicJwk, thumbprint, type VerificationKey } from '../jose/jwk.js'
import { isSignedBy, type JwsHeader, type JwsRule, readHeader } from '../jose/jws.js'
import type { KeysFor } from '../jose/jwt.js'
import type { Signer } from '../jose/sign.js'
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
      /** What the card says outside the signed bytes, as JSON Pointers; and those of it on which safety rests. */
      readonly uncovered: readonly string[]
      readonly uncoveredSecurity: readonly string[]
    }
  /** `unknown_key`: by no key that counts here, so nothing is known of it. */
  | { readonly state: 'invalid' | 'unknown_key'; readonly hint: string }
)

/**
 * Judges each of a card's signatures, profile by profile (`raw` first: it covers everything). Keys come from the caller, never from the card:
 * `jku`, `jwk` and `x5u` of a header are not read. Throws for no card.
 *
 * @see [A2A §8.4](https://a2a-protocol.org/latest/specification/#84-agent-card-signing)
 */
export async function verifyCardSignatures(card: JsonObject, keysFor: KeysFor): Promise<SignatureVerdict[]> {
  const signatures: JsonValue = card.signatures ?? []
  if (!Array.isArray(signatures)) return [{ index: 0, state: 'invalid', hint: '`signatures` is not an array' }]
  if (signatures.length > MAX_SIGNATURES) return [{ index: 0, state: 'invalid', hint: `more than ${MAX_SIGNATURES} signatures` }]
  const forms = (['raw', 'spec', 'sdk'] as const).map((profile) => ({ profile, payload: base64url(utf8(canonicalCard(card, profile))) }))
  const verdicts: SignatureVerdict[] = []
  for (const [index, signature] of signatures.entries()) verdicts.push(await judge(card, forms, signature, index, keysFor))
  return verdicts
}

type Forms = readonly { readonly profile: CardProfile; readonly payload: string }[]

async function judge(card: JsonObject, forms: Forms, value: JsonValue, index: number, keysFor: KeysFor): Promise<SignatureVerdict> {
  const parsed = Signature.safeParse(value)
  const signature = parsed.success ? fromBase64url(parsed.data.signature) : undefined
  if (!parsed.success || signature === undefined)
    return { index, state: 'invalid', hint: 'it is not { protected, signature } in base64url' }
  const header = readHeader(parsed.data.protected, RULE)
  if (typeof header === 'string') return { index, state: 'invalid', hint: header }
  const told = { index, ...(header.kid === undefined ? {} : { kid: header.kid }) }
  // RFC 7515 §7.2.1: the names in the two headers are disjoint. Nothing of the unprotected one is used.
  const unprotected = Object.keys(parsed.data.header ?? {})
  if (unprotected.includes('crit') || unprotected.some((name) => name in header))
    return { ...told, state: 'invalid', hint: 'its unprotected header repeats or extends the protected one' }
  const keys = (await keysFor(header.kid)).slice(0, MAX_SIGNATURES)
  if (keys.length === 0) return { ...told, state: 'unknown_key', hint: 'no registered key is meant by its `kid`' }
  const found = await findForm(forms, parsed.data.protected, { header, signature }, keys)
  if (found === undefined)
    return {
      ...told,
      state: 'invalid',
      hint: `it covers none of the forms ${CARD_PROFILES.join(', ')} of this card under an registered key`,
    }
  const uncovered = uncoveredPaths(card, cardForm(card, found.profile))
  return { ...told, state: 'valid', ...found, uncovered, uncoveredSecurity: uncoveredSecurity(uncovered) }
}

async function findForm(
  forms: Forms,
  head: string,
  jws: { readonly header: JwsHeader; readonly signature: Uint8Array },
  keys: readonly VerificationKey[],
): Promise<{ readonly profile: CardProfile; readonly jkt: Jkt; readonly alg: SignatureAlgorithm } | undefined> {
  for (const candidate of keys) {
    const key = readPublicJwk(candidate.jwk, candidate.alg === undefined ? [jws.header.alg] : [candidate.alg])
    if (typeof key === 'string') continue
    for (const { profile, payload } of forms) {
      if (await isSignedBy({ ...jws, signed: utf8(`${head}.${payload}`) }, key)) return { profile, jkt: key.jkt, alg: key.alg }
    }
  }
  return undefined
}

/**
 * Signs a card of version 1.0 so that all canonical forms agree: members without a value are taken out of it first. Where they cannot agree
 * (a member that the schema does not know, a security requirement without scopes) the card is signed as it is, and verifies as `raw`.
 */
export async function signCard(card: JsonObject, signer: Signer, options: { readonly kid?: string } = {}): Promise<JsonObject> {
  const signable = signableCard(card)
  const head = base64url(utf8(JSON.stringify({ alg: signer.alg, kid: options.kid ?? thumbprint(signer.publicJwk), typ: 'JOSE' })))
  const payload = base64url(utf8(canonical(signable)))
  const signature = base64url(await signer.sign(utf8(`${head}.${payload}`)))
  const earlier = Array.isArray(card.signatures) ? card.signatures : []
  return { ...signable, signatures: [...earlier, { protected: head, signature }] }
}

/** The card without members that carry no value, if then all profiles agree and it is still a card; else as it is. Without `signatures`. */
export function signableCard(card: JsonObject): JsonObject {
  const sdk = cardForm(card, 'sdk')
  // A required member without a value (`capabilities: {}`) is one that the SDKs leave out and the specification demands.
  const fits = uncoveredPaths(card, sdk).length === 0 && readCardJson(sdk).state !== 'refused'
  return fits ? sdk : withoutSignatures(card)
}
