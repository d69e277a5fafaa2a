import { consumeProof } from '../../credentials/jose/dpop.js'
import { refuse } from '../../errors.js'
import { parseForm } from '../../http/form.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { json, type Route } from '../../http/route.js'
import { type ClientAuthDeps, confirmAnyClient, consumeAssertion, verifyClient } from '../client-auth/client-auth.js'
import { type ProofDeps, verifyProof } from '../client-auth/proof.js'
import { isPublicRequest, requirePublicClient } from '../client-auth/public-client.js'
import { requireMayAsk, requireRedirectUri } from './client.js'
import { type OfferDeps, offersFor, requireTaskOf } from './offer.js'
import { askingOf, type PendingDeps, PUSHED_SECONDS, savePending } from './pending.js'
import { parseAuthorizationRequest, REPEATABLE } from './request.js'

export type ParDeps = ClientAuthDeps & ProofDeps & OfferDeps & PendingDeps & { readonly rateLimits: Pick<RateLimits, 'pushedRequests'> }

const MAX_BYTES = 16_384

/**
 * Receives an authorization request from an authenticated client, or a public one, before the browser of a person comes with it. The request is checked like one that a
 * browser brings, as far as it does not depend on the person.
 *
 * @see [RFC 9126 §2](https://www.rfc-editor.org/rfc/rfc9126.html#section-2), [RFC 9449 §10.1](https://www.rfc-editor.org/rfc/rfc9449.html#section-10.1)
 */
export const parEndpoint = (deps: ParDeps): Route => ({
  method: 'POST',
  path: '/oauth/par',
  maxBodyBytes: () => MAX_BYTES,
  endpoint: async (request) => {
    const form = parseForm(request, REPEATABLE)
    const [verified, proof] = await Promise.all([
      isPublicRequest(form) ? undefined : verifyClient(deps, request, form),
      request.headers.dpop === undefined ? undefined : verifyProof(deps, request),
    ])
    const consume = async () => {
      const isFirst = verified === undefined || (await consumeAssertion(deps, verified, request))
      const isFirstProof = proof === undefined || (await consumeProof(proof, (key, until) => deps.replayCache.consume('proof', key, until)))
      if (isFirst && isFirstProof) requireRate(deps, verified?.client.id ?? `public ${addressPrefix(request.address)}`)
      return [isFirst, isFirstProof] as const
    }
    const consumed = consume()
    return deps.trustLog.afterBarrier(
      undefined,
      async ({ now }) => {
        const [isFirst, isFirstProof] = await consumed
        const sender = verified ? (await confirmAnyClient(deps, verified, isFirst)).client : await requirePublicClient(deps, request, form)
        if (!isFirstProof) refuse('invalid_dpop_proof', 'the DPoP proof has been used before')
        const client = requireMayAsk(sender)
        if (form.get('request_uri') !== undefined) refuse('invalid_request', 'request_uri: a pushed request cannot refer to another')
        const redirectUri = requireRedirectUri(client, form.get('redirect_uri'))
        const parsed = parseAuthorizationRequest(form, deps.issuer)
        if (proof && parsed.jkt !== undefined && parsed.jkt !== proof.jkt)
          refuse('invalid_dpop_proof', 'dpop_jkt is not the thumbprint of the key of the proof')
        const asked = { ...parsed, redirectUri, ...(proof && { jkt: proof.jkt }) }
        await Promise.all([offersFor(deps, client, asked, undefined), requireTaskOf(deps, client, asked, undefined)])
        const { requestUri } = await savePending(deps, { ...askingOf(client), request: asked }, { isPushed: true, now })
        return json(201, { request_uri: requestUri, expires_in: PUSHED_SECONDS }, { ...(proof && { 'dpop-nonce': proof.freshNonce }) })
      },
      consumed,
    )
  },
})

/** Any caller can send the id of a public client, so the rate of those is one per address. */
function requireRate({ rateLimits }: ParDeps, key: string): void {
  const refusal = rateLimits.pushedRequests.take(key)
  if (refusal) throw refusal
}
