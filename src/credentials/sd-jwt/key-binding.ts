import { z } from 'zod'
import { SIGNATURE_ALGORITHMS } from '../../lib/algorithms.js'
import type { Jkt } from '../../protocol/ids.js'
import { digestOfText } from '../jose/digest.js'
import type { VerificationKey } from '../jose/jwk.js'
import { type JwtKind, requireAll, timeFault, verifyJwt } from '../jose/jwt.js'
import { type Signer, signJwt } from '../jose/sign.js'

/** RFC 9901 §4.3. */
const KEY_BINDING_TYP = 'kb+jwt'
const MAX_AGE_SECONDS = 300
const Text = z.string().min(1).max(512)

const KEY_BINDING: JwtKind<{ iat: number; aud: string; nonce: string; sd_hash: string }> = {
  name: 'key binding',
  reason: 'key_binding_required',
  maxBytes: 8192,
  algs: SIGNATURE_ALGORITHMS,
  typ: [KEY_BINDING_TYP],
  claims: z.object({ iat: z.int().min(0), aud: Text, nonce: Text, sd_hash: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
}

/** Appends a key binding by the holder's key to a presentation, for one audience and one nonce (RFC 9901 §4.3). */
export async function bindPresentation(
  presentation: string,
  binding: { readonly audience: string; readonly nonce: string; readonly now: number },
  signer: Signer,
): Promise<string> {
  const unbound = presentation.slice(0, presentation.lastIndexOf('~') + 1)
  const claims = { iat: binding.now, aud: binding.audience, nonce: binding.nonce, sd_hash: digestOfText(unbound) }
  return unbound + (await signJwt({ typ: KEY_BINDING_TYP }, claims, signer))
}

export interface KeyBindingExpectation {
  readonly audience: string
  /** The caller consumes the nonce, in one storage call. */
  readonly nonce: string
  readonly now: number
  readonly maxAgeSeconds?: number
}

/**
 * Verifies the holder's key binding of one presentation.
 *
 * @see [RFC 9901 §7.3](https://www.rfc-editor.org/rfc/rfc9901.html#section-7.3)
 */
export async function verifyKeyBinding(
  keyBinding: unknown,
  key: VerificationKey,
  sdHash: string,
  expected: KeyBindingExpectation,
): Promise<{ readonly jkt: Jkt }> {
  const { claims, times, key: signedBy } = await verifyJwt(keyBinding, KEY_BINDING, () => [key])
  const maxAgeSeconds = expected.maxAgeSeconds ?? MAX_AGE_SECONDS
  requireAll(KEY_BINDING, [
    claims.aud !== expected.audience && '`aud` is not this verifier',
    claims.nonce !== expected.nonce && '`nonce` is not the nonce of this verifier',
    claims.sd_hash !== sdHash && '`sd_hash` is not the hash of this presentation',
    timeFault(times, expected.now),
    claims.iat < expected.now - maxAgeSeconds && `it is older than ${maxAgeSeconds} s`,
  ])
  return { jkt: signedBy.jkt }
}
