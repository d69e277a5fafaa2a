import { type VerifiedProof, verifyDpopProof } from '../../credentials/jose/dpop.js'
import { refuse } from '../../errors.js'
import type { HttpRequest } from '../../http/route.js'
import type { Clock } from '../../lib/clock.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import { dpopNonces, nonceOfProof } from './dpop-nonce.js'

export interface ProofDeps {
  readonly keyRing: KeyRing
  readonly clock: Pick<Clock, 'now'>
}

export interface RequestProof extends VerifiedProof {
  /** A nonce for the next proof. */
  readonly freshNonce: string
}

/** The one DPoP proof of a request to the token endpoint, with a server nonce (RFC 9449 §5, §8). That it is used once shows when it is spent. */
export async function verifyProof(deps: ProofDeps, request: HttpRequest): Promise<RequestProof> {
  const proof = request.headers.dpop
  if (typeof proof !== 'string') return refuse('invalid_dpop_proof', 'exactly one DPoP proof is needed')
  const now = deps.clock.now()
  const nonce = await dpopNonces({ secrets: deps.keyRing.secret('nonce'), clock: deps.clock }, nonceOfProof(proof))
  const verified = await verifyDpopProof(proof, { htm: request.method, htu: request.url, now, nonce })
  return { ...verified, freshNonce: nonce.fresh() }
}
