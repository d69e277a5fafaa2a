import { refuse } from '../../errors.js'
import { parseForm } from '../../http/form.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { json, type Route } from '../../http/route.js'
import { boundTo, type ProofDeps } from '../client-auth/proof.js'
import { receiveFromClient, type SenderDeps } from '../client-auth/sender.js'
import { requireMayAsk, requireRedirectUri } from './client.js'
import { type OfferDeps, offersFor, requireTaskOf } from './offer.js'
import { askingOf, type PendingDeps, PUSHED_SECONDS, savePending } from './pending.js'
import { parseAuthorizationRequest, REPEATABLE } from './request.js'

export type ParDeps = SenderDeps & ProofDeps & OfferDeps & PendingDeps & { readonly rateLimits: Pick<RateLimits, 'pushedRequests'> }

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
    const { proof, consumed, confirm } = await receiveFromClient(deps, request, form, deps.rateLimits.pushedRequests)
    return deps.trustLog.afterBarrier(
      undefined,
      async ({ now }) => {
        const client = requireMayAsk(await confirm())
        if (form.get('request_uri') !== undefined) refuse('invalid_request', 'request_uri: a pushed request cannot refer to another')
        const redirectUri = requireRedirectUri(client, form.get('redirect_uri'))
        const asked = { ...boundTo(proof, parseAuthorizationRequest(form, deps.issuer)), redirectUri }
        await Promise.all([offersFor(deps, client, asked, undefined), requireTaskOf(deps, client, asked, undefined)])
        const { requestUri } = await savePending(deps, { ...askingOf(client), request: asked }, { isPushed: true, now })
        return json(201, { request_uri: requestUri, expires_in: PUSHED_SECONDS }, { ...(proof && { 'dpop-nonce': proof.freshNonce }) })
      },
      consumed,
    )
  },
})
