import { exportJWK, generateKeyPair, importJWK } from 'jose'
import { signData } from '#crypto'
import { refuse } from '../../errors.js'
import type { SignatureAlgorithm } from '../../lib/algorithms.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import type { Random } from '../../lib/random.js'
import { digestOfText } from './digest.js'
import { type ParsedKey, parsePublicJwk, thumbprint } from './jwk.js'
import type { EncodedJws } from './jws.js'
import type { PublicJwk } from './public-jwk.js'
import { KEY_PROOF_TYP, KEY_ROTATION_TYP } from './token-types.js'

/** A private key in memory, in a keystore or on a device. `sign` returns the signature in JOSE form (r‖s for ECDSA). */
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

/** Signs the claims as a compact JWS. */
export async function signJwt(header: JwtHeader, claims: object, signer: Signer): Promise<string> {
  const jws = await signJws({ ...header, alg: signer.alg }, utf8(JSON.stringify(claims)), signer)
  return `${jws.protected}.${jws.payload}.${jws.signature}`
}

/** Signs the payload as a JWS (RFC 7515 §5.1). */
export async function signJws(header: { readonly alg: SignatureAlgorithm }, payload: Uint8Array, signer: Signer): Promise<EncodedJws> {
  const head = base64url(utf8(JSON.stringify(header)))
  const body = base64url(payload)
  return { protected: head, payload: body, signature: base64url(await signer.sign(utf8(`${head}.${body}`))) }
}

/** Generates a private key, as a JWK with its `alg`. The owner of the key stores it and never sends it. */
export async function newPrivateJwk(alg: 'ES256' | 'ES384' | 'EdDSA' = 'ES256'): Promise<JsonWebKey> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  return { ...(await exportJWK(privateKey)), alg }
}

/** Makes a signer with a new ES256 key, which only the signer has. */
export async function newEs256Signer(): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  return signerOf(privateKey, await exportJWK(publicKey), 'ES256')
}

/** Makes a signer for a page of a browser, with a new ES256 key that no script can read. It lives as long as the page. */
export async function newPageSigner(): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: false })
  return signerOf(privateKey, await exportJWK(publicKey), 'ES256')
}

/** Makes a signer for a private JWK. An RSA key works with two algorithms: its `alg` decides, and without `alg` it is PS256. */
export async function signerFromJwk(privateJwk: Readonly<Record<string, unknown>> | JsonWebKey): Promise<Signer> {
  const jwk: JsonWebKey = { ...privateJwk }
  const publicKey = publicPartOf(jwk)
  const { alg } = publicKeyOf(jwk)
  const privateKey = Object.fromEntries(Object.entries(jwk).filter(([name]) => !['alg', 'use', 'key_ops', 'ext', 'kid'].includes(name)))
  const key = await importJWK(privateKey, alg, { extractable: true }).catch((error: unknown) =>
    refuse('key_invalid', `not a private JWK: ${(error as Error).message}`),
  )
  if (key instanceof Uint8Array || key.type !== 'private') return refuse('key_invalid', 'a private JWK is needed to sign')
  return signerOf(key, publicKey, alg)
}

/** The public key of a private JWK, with its algorithm and thumbprint. */
export const publicKeyOf = (privateJwk: Readonly<Record<string, unknown>> | JsonWebKey): ParsedKey =>
  parsePublicJwk(publicPartOf(privateJwk))

const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use']
const publicPartOf = (privateJwk: object): object =>
  Object.fromEntries(Object.entries(privateJwk).filter(([name]) => PUBLIC_MEMBERS.includes(name)))

function signerOf(key: CryptoKey, publicKey: object, alg: SignatureAlgorithm): Signer {
  return { alg, publicJwk: parsePublicJwk(publicKey, [alg]).jwk, sign: (data) => signData(alg, key, data) }
}

interface ProofDeps {
  readonly signer: Signer
  readonly clock: Pick<Clock, 'now'>
  readonly random: Pick<Random, 'token'>
}

/** Makes a DPoP proof for one request (RFC 9449 §4.2). Query and fragment of `htu` are removed. */
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

/** Makes a client assertion for `private_key_jwt` (RFC 7523 §2.2). Its lifetime is 60 s unless `lifeSeconds` is given. */
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

/** Makes the proof of possession with which a key is registered for `owner` at `issuer`. It expires after 120 s. */
export function proveKey(deps: ProofDeps, registration: { readonly issuer: string; readonly owner: string }): Promise<string> {
  const iat = deps.clock.now()
  const claims = { aud: registration.issuer, iat, exp: iat + 120, jti: deps.random.token(16), owner: registration.owner }
  return signJwt({ typ: KEY_PROOF_TYP, kid: thumbprint(deps.signer.publicJwk) }, claims, deps.signer)
}

/** Makes the statement by which the key of `deps.signer` names its successor, the key with the thumbprint `jkt`. It expires after 120 s. */
export function endorseKey(
  deps: Pick<ProofDeps, 'signer' | 'clock'>,
  rotation: { readonly issuer: string; readonly owner: string; readonly jkt: string },
): Promise<string> {
  const iat = deps.clock.now()
  const claims = { aud: rotation.issuer, iat, exp: iat + 120, owner: rotation.owner, jkt: rotation.jkt }
  return signJwt({ typ: KEY_ROTATION_TYP, kid: thumbprint(deps.signer.publicJwk) }, claims, deps.signer)
}
