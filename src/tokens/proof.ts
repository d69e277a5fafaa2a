import { type VerifiedProof, verifyDpopProof } from '../credentials/dpop.js'
import { refuse } from '../errors.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Clock } from '../lib/clock.js'
import type { Once } from '../storage/once.js'
import type { HttpRequest } from '../transport/http.js'
import { REPLAY_MARGIN_SECONDS } from './client-auth.js'
import { dpopNonces, nonceOfProof } from './dpop-nonce.js'

export interface ProofDeps {
  readonly keyRing: KeyRing
  readonly once: Once
  readonly clock: Pick<Clock, 'now'>
}

/** The one DPoP proof of a request to the token endpoint: with a server nonce, used once (RFC 9449 §5, §8, §11.1). */
export async function requireProof(deps: ProofDeps, request: HttpRequest): Promise<VerifiedProof & { readonly freshNonce: string }> {
  const proof = request.headers.dpop
  if (typeof proof !== 'string') return refuse('invalid_dpop_proof', 'exactly one DPoP proof is needed')
  const now = deps.clock.now()
  const nonce = await dpopNonces({ secrets: deps.keyRing.secret('nonce'), clock: deps.clock }, nonceOfProof(proof))
  const verified = await verifyDpopProof(proof, { htm: request.method, htu: request.url, now, nonce })
  if (!(await deps.once.spend('proof', `${verified.jkt} ${verified.jti}`, verified.expiresAt + REPLAY_MARGIN_SECONDS)))
    return refuse('invalid_dpop_proof', 'the DPoP proof was used before')
  return { ...verified, freshNonce: nonce.fresh() }
}
