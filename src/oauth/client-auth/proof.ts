import { consumeProof, type VerifiedProof, verifyDpopProof } from '../../credentials/jose/dpop.js'
import { refuse } from '../../errors.js'
import type { HttpRequest } from '../../http/route.js'
import type { Clock } from '../../lib/clock.js'
import type { Jkt } from '../../protocol/ids.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { ReplayCache } from '../../storage/replay-cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { dpopNonces, nonceOfProof } from './dpop-nonce.js'

export interface ProofDeps {
  readonly keyRing: KeyRing
  readonly clock: Pick<Clock, 'now'>
  readonly trustLog: Pick<TrustLog, 'proofsValidFrom'>
}

export interface RequestProof extends VerifiedProof {
  /** Server nonce for the client's next proof. */
  readonly freshNonce: string
}

/** Verifies the DPoP proof of a token request, with its server nonce (RFC 9449 §5, §8). The caller consumes it (`consumeProof`). */
export async function verifyProof(deps: ProofDeps, request: HttpRequest): Promise<RequestProof> {
  const proof = request.headers.dpop
  if (typeof proof !== 'string') return refuse('invalid_dpop_proof', 'send exactly one DPoP header')
  const now = deps.clock.now()
  const nonce = await dpopNonces({ secrets: deps.keyRing.secret('nonce'), clock: deps.clock }, nonceOfProof(proof))
  const verified = await verifyDpopProof(proof, {
    htm: request.method,
    htu: request.url,
    now,
    nonce,
    madeFrom: deps.trustLog.proofsValidFrom(),
  })
  return { ...verified, freshNonce: nonce.fresh() }
}

/** Consumes a proof. False if it was used before. */
export const consumeProofOnce = (
  { replayCache }: { readonly replayCache: Pick<ReplayCache, 'consume'> },
  proof: VerifiedProof,
): Promise<boolean> => consumeProof(proof, (key, retainUntil) => replayCache.consume('proof', key, retainUntil))

/** The rights of a request, bound to the key of its proof. A different `dpop_jkt` is refused (RFC 9449 §10.1). */
export function boundTo<R extends { readonly jkt?: Jkt | undefined }>(proof: Pick<VerifiedProof, 'jkt'> | undefined, rights: R): R {
  if (!proof) return rights
  if (rights.jkt !== undefined && rights.jkt !== proof.jkt)
    refuse('invalid_dpop_proof', 'dpop_jkt is not the thumbprint of the key of the proof')
  return { ...rights, jkt: proof.jkt }
}
