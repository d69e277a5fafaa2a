import { createHmac } from 'node:crypto'
import type { ProofExpectation } from '../../credentials/jose/dpop.js'
import { base64url, equalTexts, fromBase64url } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import type { Secret, Secrets } from '../../signing-keys/secrets.js'

/** How long a server nonce is accepted, in seconds. */
const NONCE_SECONDS = 300

export interface NonceDeps {
  readonly secrets: Secrets
  readonly clock: Pick<Clock, 'now'>
}

/**
 * Server nonces without state, good at every instance: `<epoch seconds>.<secret id>.<mac>`.
 *
 * @see [RFC 9449 §8](https://www.rfc-editor.org/rfc/rfc9449.html#section-8)
 */
export async function dpopNonces({ secrets, clock }: NonceDeps, sent: string | undefined): Promise<NonNullable<ProofExpectation['nonce']>> {
  const now = clock.now()
  const current = await secrets.current()
  const [, id = ''] = sent?.split('.') ?? []
  const named = id === current.id ? current : await secrets.find(id)
  return {
    accepts: (nonce) => named !== undefined && isGood(nonce, named, now),
    fresh: () => nonceOf(current, now),
  }
}

export const nonceOf = (secret: Secret, at: number): string => `${at}.${secret.id}.${macOf(secret, at)}`

/** The same second comes again and again: of each secret the MACs of as many seconds as are accepted are kept. */
function macOf(secret: Secret, at: number): string {
  const known = macs.get(secret) ?? new Map<number, string>()
  const mac = known.get(at) ?? base64url(createHmac('sha256', secret.bytes).update(`dpop ${at} ${secret.id}`).digest()).slice(0, 32)
  if (known.size > 2 * NONCE_SECONDS) known.clear()
  macs.set(secret, known.set(at, mac))
  return mac
}
const macs = new WeakMap<Secret, Map<number, string>>()

function isGood(nonce: string, secret: Secret, now: number): boolean {
  const [time = '', id, mac = '', ...rest] = nonce.split('.')
  const at = /^\d{1,12}$/.test(time) ? Number(time) : Number.NaN
  if (rest.length > 0 || id !== secret.id || String(at) !== time || Math.abs(now - at) > NONCE_SECONDS) return false
  return fromBase64url(mac) !== undefined && equalTexts(mac, macOf(secret, at))
}

/** The nonce that a proof claims, unverified: only to load the secret that it names. */
export function nonceOfProof(proof: unknown): string | undefined {
  const payload = typeof proof === 'string' && proof.length <= 8192 ? fromBase64url(proof.split('.')[1] ?? '') : undefined
  const nonce = payload && /"nonce"\s*:\s*"([0-9]{1,12}\.[0-9]{1,12}\.[A-Za-z0-9_-]{1,64})"/.exec(Buffer.from(payload).toString('utf8'))
  return nonce?.[1]
}
