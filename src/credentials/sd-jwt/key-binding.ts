import { z } from 'zod'
import { SIGNATURE_ALGORITHMS } from '../../lib/algorithms.js'
import type { Jkt } from '../../protocol/ids.js'
import { digestOfText } from '../jose/digest.js'
import type { VerificationKey } from '../jose/jwk.js'
import { type JwtKind, requireAll, timeFault, verifyJwt } from '../jose/jwt.js'
import { type Signer, signJwt } from '../jose/sign.js'

/** `typ` of a key binding (RFC 9901 §4.3). */
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

/** A presentation with a key binding (RFC 9901 §4.3) by the holder's key, for one audience and one nonce. */
export async function bindPresentation(
  presentation: string,
  binding: { readonly audience: string; readonly nonce: string; readonly now: number },
  signer: Signer,
): Promise<string> {
  const bare = presentation.slice(0, presentation.lastIndexOf('~') + 1)
  const claims = { iat: binding.now, aud: binding.audience, nonce: binding.nonce, sd_hash: digestOfText(bare) }
  return bare + (await signJwt({ typ: KEY_BINDING_TYP }, claims, signer))
}

export interface KeyBindingExpectation {
  readonly audience: string
  /** Spent by the caller, in one storage call. */
  readonly nonce: string
  readonly now: number
  readonly maxAgeSeconds?: number
}

/**
 * A holder's key binding over one presentation.
 *
 * @see [RFC 9901 §7.3](https://www.rfc-editor.org/rfc/rfc9901.html#section-7.3)
 */
export async function verifyKeyBinding(
  keyBinding: unknown,
  key: VerificationKey,
  sdHash: string,
  expected: KeyBindingExpectation,
): Promise<{ readonly jkt: Jkt }> {
  const verified = await verifyJwt(keyBinding, KEY_BINDING, () => [key])
  const { claims } = verified
  requireAll(KEY_BINDING, [
    claims.aud !== expected.audience && '`aud` is another verifier',
    claims.nonce !== expected.nonce && '`nonce` is another',
    claims.sd_hash !== sdHash && '`sd_hash` is of another presentation',
    timeFault({ iat: claims.iat }, expected.now),
    claims.iat < expected.now - (expected.maxAgeSeconds ?? MAX_AGE_SECONDS) && 'it is too old',
  ])
  return { jkt: verified.key.jkt }
}
