import type { Reason, Refusal } from '../../errors.js'
import { seeOther } from '../../http/pages/html.js'
import type { HttpResponse } from '../../http/route.js'
import type { AuthorizationRequest } from './store.js'

type Fault = Pick<Refusal, 'reason' | 'message'>
export type Target = Pick<AuthorizationRequest, 'state'> & { readonly redirectUri: string }

/**
 * Sends the browser back to the client. Each response names this registry, so that the client does not take it for one of another server.
 *
 * @see [RFC 6749 §4.1.2](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.1.2), [RFC 9207 §2](https://www.rfc-editor.org/rfc/rfc9207.html#section-2)
 */
export const toClient = (issuer: string, target: Target, response: Readonly<Record<string, string>>): HttpResponse =>
  seeOther(responseUri(issuer, target, response))

function responseUri(issuer: string, { redirectUri, state }: Target, response: Readonly<Record<string, string>>): string {
  const parameters = new URLSearchParams({ ...response, ...(state !== undefined && { state }), iss: issuer })
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${parameters}`
}

/** RFC 6749 §4.1.2.1: the error goes to the client, and the person sees it there. */
export const errorToClient = (issuer: string, target: Target, refusal: Fault): HttpResponse => seeOther(errorUriOf(issuer, target, refusal))

/** The URI of an error response, for a link. */
export const errorUriOf = (issuer: string, target: Target, { reason, message }: Fault): string =>
  responseUri(issuer, target, {
    error: CODES[reason] ?? 'invalid_request',
    error_description: message.replace(/[^\x20-\x21\x23-\x5B\x5D-\x7E]/g, "'"),
  })

const SAME = [
  'invalid_request',
  'unauthorized_client',
  'access_denied',
  'unsupported_response_type',
  'invalid_scope',
  'invalid_target',
  'invalid_authorization_details',
  'login_required',
  'consent_required',
  'request_not_supported',
] as const satisfies readonly Reason[]

const CODES: Partial<Record<Reason, string>> = {
  ...Object.fromEntries(SAME.map((reason) => [reason, reason])),
  rate_limited: 'temporarily_unavailable',
  standing_unknown: 'temporarily_unavailable',
  unavailable: 'temporarily_unavailable',
}

/** The host that a redirect URI leads to, or the scheme of an application on the device. */
export function hostOf(redirectUri: string): string {
  const { hostname, protocol } = new URL(redirectUri)
  return hostname === '' ? protocol : hostname
}

/** The source of `form-action` that lets a form lead to the client: browsers apply it to redirects, too. */
export function formActionOf(redirectUri: string): string {
  const { origin, protocol } = new URL(redirectUri)
  return origin === 'null' ? protocol : origin
}
