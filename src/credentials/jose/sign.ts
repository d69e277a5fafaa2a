import { importPrivateKey, signData } from '#crypto'
import type { SignatureAlgorithm } from '../../lib/algorithms.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import type { Random } from '../../lib/random.js'
import { canonical } from './canonical-json.js'
import { digestOfText } from './digest.js'
import { type PublicJwk, parsePublicJwk, thumbprint } from './jwk.js'
import { KEY_PROOF_TYP } from './token-types.js'

/** Anything that signs: a key in memory, in a keystore, on a device. Signatures are in JOSE form (r‖s for ECDSA). */
export interface Signer {
  readonly alg: SignatureAlgorithm
  readonly publicJwk: PublicJwk
  sign(data: Uint8Array): Promise<Uint8Array>
}

export interface JwtHeader {
  readonly typ: string
  readonly kid?: string
  readonly jwk?: PublicJwk
}

/** A compact JWS over the claims. */
export async function signJwt(header: JwtHeader, claims: object, signer: Signer): Promise<string> {
  const head = base64url(utf8(JSON.stringify({ ...header, alg: signer.alg })))
  const signed = `${head}.${base64url(utf8(canonical(claims)))}`
  return `${signed}.${base64url(await signer.sign(utf8(signed)))}`
}

const GENERATE: Readonly<Record<'ES256' | 'ES384' | 'EdDSA', EcKeyGenParams | Algorithm>> = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  ES384: { name: 'ECDSA', namedCurve: 'P-384' },
  EdDSA: { name: 'Ed25519' },
}
/** A new private key (JWK with its `alg`): to be kept by its owner, never sent. */
export async function newPrivateJwk(alg: 'ES256' | 'ES384' | 'EdDSA' = 'ES256'): Promise<JsonWebKey> {
  const pair = await crypto.subtle.generateKey(GENERATE[alg], true, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new Error('the platform made no key pair')
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey('jwk', pair.privateKey)
  return Object.fromEntries(Object.entries({ kty, crv, x, y, d, alg }).filter(([, value]) => value !== undefined))
}

/** A signer with a new ES256 key that cannot be exported. */
export async function newEs256Signer(): Promise<Signer> {
  return signerFromJwk(await newPrivateJwk('ES256'))
}

/** A signer from a private JWK. Its own `alg` decides where a key fits two. */
export async function signerFromJwk(privateJwk: Readonly<Record<string, unknown>> | JsonWebKey): Promise<Signer> {
  const jwk: JsonWebKey = { ...privateJwk }
  const bare = Object.fromEntries(Object.entries(jwk).filter(([name]) => ['kty', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use'].includes(name)))
  const { jwk: publicJwk, alg } = parsePublicJwk(bare)
  const secret = Object.fromEntries(Object.entries(jwk).filter(([name]) => !['alg', 'use', 'key_ops', 'ext', 'kid'].includes(name)))
  const key = await importPrivateKey(secret, alg)
  return { alg, publicJwk, sign: (data) => signData(alg, key, data) }
}

export interface ProofDeps {
  readonly signer: Signer
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'token'>
}

/** A DPoP proof for one request (RFC 9449 §4.2). `htu` is sent without query and fragment. */
export function proveDpop(
  deps: ProofDeps,
  request: { readonly htm: string; readonly htu: string; readonly accessToken?: string; readonly nonce?: string },
): Promise<string> {
  const { signer, clock, random } = deps
  const claims = {
    jti: random.token(16),
    htm: request.htm,
    htu: request.htu.replace(/[?#].*$/s, ''),
    iat: clock.now(),
    ath: request.accessToken === undefined ? undefined : digestOfText(request.accessToken),
    nonce: request.nonce,
  }
  return signJwt({ typ: 'dpop+jwt', jwk: signer.publicJwk }, claims, signer)
}

/** A client assertion for `private_key_jwt` (RFC 7523 §2.2) that lives a minute. */
export function assertClient(
  deps: ProofDeps,
  client: { readonly clientId: string; readonly issuer: string; readonly lifeSeconds?: number },
): Promise<string> {
  const iat = deps.clock.now()
  const claims = {
    iss: client.clientId,
    sub: client.clientId,
    aud: client.issuer,
    iat,
    exp: iat + (client.lifeSeconds ?? 60),
    jti: deps.random.token(16),
  }
  return signJwt({ typ: 'client-authentication+jwt', kid: thumbprint(deps.signer.publicJwk) }, claims, deps.signer)
}

/** A proof, by the key that is to be registered, that its holder wants it for `owner`. */
export function proveKey(deps: ProofDeps, registeredKey: { readonly issuer: string; readonly owner: string }): Promise<string> {
  const iat = deps.clock.now()
  const claims = { aud: registeredKey.issuer, iat, exp: iat + 120, jti: deps.random.token(16), owner: registeredKey.owner }
  return signJwt({ typ: KEY_PROOF_TYP, kid: thumbprint(deps.signer.publicJwk) }, claims, deps.signer)
}
