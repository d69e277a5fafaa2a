import { createHmac } from 'node:crypto'
import type { ProofExpectation } from '../../credentials/jose/dpop.js'
import { base64url, equalTexts, fromBase64url } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import type { Secret, Secrets } from '../../signing-keys/secrets.js'

/**
 * Maximum age of a server nonce, and maximum time by which the clock of the instance that issued it may be ahead. Other nonces are
 * refused.
 */
const NONCE_SECONDS = 300

interface NonceDeps {
  readonly secrets: Secrets
  readonly clock: Pick<Clock, 'now'>
}

/**
 * Issues and checks stateless server nonces, which every instance accepts: `<epoch seconds>.<secret id>.<mac>`.
 *
 * @see [RFC 9449 §8](https://www.rfc-editor.org/rfc/rfc9449.html#section-8)
 */
export async function dpopNonces({ secrets, clock }: NonceDeps, sent: string | undefined): Promise<NonNullable<ProofExpectation['nonce']>> {
  const now = clock.now()
  const current = await secrets.current()
  const [, id = ''] = sent?.split('.') ?? []
  const named = id === current.id ? current : await secrets.find(id)
  return {
    accepts: (nonce) => named !== undefined && isValid(nonce, named, now),
    fresh: () => nonceOf(current, now),
  }
}

const nonceOf = (secret: Secret, issuedAt: number): string => `${issuedAt}.${secret.id}.${macOf(secret, issuedAt)}`

/** All nonces of one second have the same MAC, so MACs are cached: at most 601 per secret, then the cache of that secret is cleared. */
function macOf(secret: Secret, issuedAt: number): string {
  const cached = macs.get(secret) ?? new Map<number, string>()
  const mac =
    cached.get(issuedAt) ?? base64url(createHmac('sha256', secret.bytes).update(`dpop ${issuedAt} ${secret.id}`).digest()).slice(0, 32)
  if (cached.size > 2 * NONCE_SECONDS) cached.clear()
  macs.set(secret, cached.set(issuedAt, mac))
  return mac
}
const macs = new WeakMap<Secret, Map<number, string>>()

function isValid(nonce: string, secret: Secret, now: number): boolean {
  const [time = '', id, mac = '', ...rest] = nonce.split('.')
  const issuedAt = /^\d{1,12}$/.test(time) ? Number(time) : Number.NaN
  if (rest.length > 0 || id !== secret.id || String(issuedAt) !== time || Math.abs(now - issuedAt) > NONCE_SECONDS) return false
  return fromBase64url(mac) !== undefined && equalTexts(mac, macOf(secret, issuedAt))
}

/** The nonce that an unverified proof claims. It only selects the secret to load. */
export function nonceOfProof(proof: unknown): string | undefined {
  const payload = typeof proof === 'string' && proof.length <= 8192 ? fromBase64url(proof.split('.')[1] ?? '') : undefined
  const nonce = payload && /"nonce"\s*:\s*"([0-9]{1,12}\.[0-9]{1,12}\.[A-Za-z0-9_-]{1,64})"/.exec(Buffer.from(payload).toString('utf8'))
  return nonce?.[1]
}
