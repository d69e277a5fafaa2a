import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import type { HttpRequest } from '../../http/route.js'
import type { LimitsInForce } from '../../identity/limits/in-force.js'
import {
  type AuthenticatedClient,
  type AuthenticatedExternal,
  type ClientAuthDeps,
  confirmAnyClient,
  consumeAssertion,
  verifyClient,
} from './client-auth.js'
import { consumeProofOnce, type ProofDeps, type RequestProof, verifyProof } from './proof.js'
import { isPublicRequest, requirePublicClient } from './public-client.js'

export type SenderDeps = ClientAuthDeps & { readonly limits: Pick<LimitsInForce, 'ofClient' | 'configured'> }

/** The client that sent a request. */
interface Sender {
  readonly rateKey: string
  readonly perSecond: number
  /** False if the assertion was used before. */
  consume(): Promise<boolean>
  /** To be called after the read barrier. */
  confirm(isFirstUse: boolean): Promise<AuthenticatedClient | AuthenticatedExternal>
}

export async function authenticatedSender(deps: SenderDeps, request: HttpRequest, form: OAuthForm): Promise<Sender> {
  const verified = await verifyClient(deps, request, form)
  const limits = verified.client.kind === 'external' ? deps.limits.configured : await deps.limits.ofClient(verified.client)
  return {
    rateKey: verified.client.id,
    perSecond: limits.tokenRequestsPerSecond,
    consume: () => consumeAssertion(deps, verified, {}),
    confirm: (isFirstUse) => confirmAnyClient(deps, verified, isFirstUse),
  }
}

/** Any caller can send the id of a public client, so the rate is one per address, not per client. */
export async function publicSender(deps: SenderDeps, request: HttpRequest, form: OAuthForm): Promise<Sender> {
  return {
    rateKey: `public ${addressPrefix(request.address)}`,
    perSecond: deps.limits.configured.tokenRequestsPerSecond,
    consume: async () => true,
    confirm: async () => ({ client: await requirePublicClient(deps, request, form), key: undefined }),
  }
}

interface Received {
  readonly proof: RequestProof | undefined
  readonly consumed: Promise<unknown>
  /** Call after the read barrier. */
  readonly confirm: () => Promise<AuthenticatedClient['client'] | AuthenticatedExternal['client']>
}

/**
 * Verifies the client and the optional proof of a request that a person will decide, and consumes both. Pass `consumed` to `afterBarrier`, and call `confirm`
 * after the read barrier. Only a first use counts for the rate and in the queue of the client.
 */
export async function receiveFromClient(
  deps: SenderDeps & ProofDeps,
  request: HttpRequest,
  form: OAuthForm,
  rate: RateLimits['pushedRequests'],
): Promise<Received> {
  const isPublic = isPublicRequest(form)
  const [sender, proof] = await Promise.all([
    isPublic ? publicSender(deps, request, form) : authenticatedSender(deps, request, form),
    request.headers.dpop === undefined ? undefined : verifyProof(deps, request),
  ])
  const consume = async () => {
    const isFirst = await sender.consume()
    const isFirstProof = proof === undefined || (await consumeProofOnce(deps, proof))
    if (isFirst && isFirstProof) {
      const refusal = rate.take(sender.rateKey)
      if (refusal) throw refusal
      if (!isPublic) await request.enterAs?.(sender.rateKey)
    }
    return [isFirst, isFirstProof] as const
  }
  const consumed = consume()
  const confirm = async () => {
    const [isFirst, isFirstProof] = await consumed
    const { client } = await sender.confirm(isFirst)
    if (!isFirstProof) refuse('invalid_dpop_proof', 'the DPoP proof has been used before')
    return client
  }
  return { proof, consumed, confirm }
}
