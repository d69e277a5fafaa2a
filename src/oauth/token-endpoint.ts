import type { Audit } from '../audit/audit.js'
import { isRefusal, type Refusal, refuse } from '../errors.js'
import { parseForm } from '../http/form.js'
import type { RateLimits } from '../http/limits/rate-limit.js'
import { type HttpRequest, json, type Route } from '../http/route.js'
import { DEVICE_CODE, TOKEN_EXCHANGE } from '../protocol/grant-types.js'
import { ActorId } from '../protocol/ids.js'
import { type AuthenticatedClient, type AuthenticatedExternal, isExternal } from './client-auth/client-auth.js'
import { consumeProofOnce, type ProofDeps, verifyProof } from './client-auth/proof.js'
import { isPublicRequest } from './client-auth/public-client.js'
import { authenticatedSender, publicSender, type SenderDeps } from './client-auth/sender.js'
import { type DeviceGrantDeps, grantDeviceCode } from './device/device-code-grant.js'
import type { FamilyRequest } from './families/use.js'
import { grantAuthorizationCode } from './grants/authorization-code.js'
import { grantClientCredentials } from './grants/client-credentials.js'
import { ACCESS_TOKEN_TYPE } from './grants/exchange-request.js'
import { type ExternalClientDeps, grantToExternalClient } from './grants/external-client.js'
import { grantRefreshToken } from './grants/refresh-token.js'
import { grantTokenExchange } from './grants/token-exchange.js'
import type { IssuedToken } from './issue.js'

export const GRANT_TYPES = ['client_credentials', 'authorization_code', 'refresh_token', TOKEN_EXCHANGE, DEVICE_CODE] as const
/** The grants by which a person lets a client act: the rights of the token are those of the person's decision. */
const OF_PEOPLE: readonly string[] = ['authorization_code', 'refresh_token', DEVICE_CODE]

export type TokenEndpointDeps = ExternalClientDeps &
  DeviceGrantDeps &
  SenderDeps &
  ProofDeps & {
    readonly audit: Audit
    readonly rateLimits: Pick<RateLimits, 'tokenRequests'>
  }

/**
 * Checks the client, then the proof, then the grant. The assertion and the proof are consumed even if the request is refused afterwards.
 *
 * @see [RFC 6749 §3.2](https://www.rfc-editor.org/rfc/rfc6749.html#section-3.2), [RFC 9449 §5](https://www.rfc-editor.org/rfc/rfc9449.html#section-5)
 */
export const tokenEndpoint = (deps: TokenEndpointDeps): Route => ({
  method: 'POST',
  path: '/oauth/token',
  endpoint: async (request) => {
    const form = parseForm(request, ['resource', 'audience'])
    const grantType = form.get('grant_type') ?? refuse('invalid_request', 'grant_type is missing')
    const isPublic = isPublicRequest(form)
    if (isPublic && !OF_PEOPLE.includes(grantType)) refusePublicClient()
    const [sender, proof] = await Promise.all([
      isPublic ? publicSender(deps, request, form) : authenticatedSender(deps, request, form),
      verifyProof(deps, request).catch(refusalOf),
    ])
    const rate = deps.rateLimits.tokenRequests
    // Past the rate nothing is consumed, because that is a write
    requireRate(rate.refusalFor(sender.rateKey))
    // Both are consumed in parallel with the read barrier, the assertion even if the proof is invalid.
    const consume = async () => {
      const [isFirstUse, isFirstProof] = await Promise.all([sender.consume(), isRefusal(proof) || consumeProofOnce(deps, proof)])
      // A replayed assertion may come from a thief, so the request counts for the client only after a first use
      if (isFirstUse && isFirstProof && (!isRefusal(proof) || request.headers.dpop === undefined)) {
        requireRate(rate.take(sender.rateKey, sender.perSecond))
        if (!isPublic) await request.enterAs?.(sender.rateKey)
      }
      return [isFirstUse, isFirstProof] as const
    }
    const consumed = consume()
    const call = { form, attempt: deps.random.token(ATTEMPT_BYTES), retryKey: retryKeyOf(request) }
    return deps.trustLog.afterBarrier(
      undefined,
      async (barrier) => {
        const [isFirstUse, isFirstProof] = await consumed
        const authenticated = await sender.confirm(isFirstUse)
        return auditRefusal(deps, authenticated, async () => {
          if (isRefusal(proof) && request.headers.dpop !== undefined) throw proof
          if (!isFirstProof) refuse('invalid_dpop_proof', 'the DPoP proof has been used before')
          const bound = isRefusal(proof) ? undefined : proof
          const issued = await grant(deps, grantType, { barrier, authenticated, jkt: bound?.jkt, ...call })
          return json(200, responseOf(issued, grantType), { ...(bound && { 'dpop-nonce': bound.freshNonce }), pragma: 'no-cache' })
        })
      },
      consumed,
    )
  },
})

const refusePublicClient = (): never =>
  refuse('unauthorized_client', 'a client without authentication gets no token by this grant: send a client assertion (private_key_jwt)')

const ATTEMPT_BYTES = 16

/** A client that did not get the response repeats the request with the same key. */
function retryKeyOf({ headers }: Pick<HttpRequest, 'headers'>): string | undefined {
  const key = headers['idempotency-key']
  return key === undefined || (typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key))
    ? key
    : refuse('invalid_request', 'send one Idempotency-Key of 1 to 255 printable ASCII characters')
}

function requireRate(refusal: Refusal | undefined): void {
  if (refusal) throw refusal
}

/** Returns a refusal as a value and rethrows a bug. */
function refusalOf(error: unknown): Refusal {
  if (isRefusal(error)) return error
  throw error
}

async function grant(deps: TokenEndpointDeps, grantType: string, request: FamilyRequest): Promise<IssuedToken> {
  const { authenticated } = request
  const { grantTypes } = authenticated.client
  if (grantTypes && !grantTypes.some((registered) => registered === grantType))
    refuse(
      'unauthorized_client',
      `the client did not register the grant type ${JSON.stringify(grantType.slice(0, 64))}, only ${grantTypes.join(', ')}`,
    )
  if (grantType === 'authorization_code') return grantAuthorizationCode(deps, request)
  if (grantType === 'refresh_token') return grantRefreshToken(deps, request)
  if (grantType === DEVICE_CODE) return grantDeviceCode(deps, request)
  if (isExternal(authenticated)) return grantToExternalClient(deps, { ...request, authenticated }, grantType)
  const ofClient = { ...request, authenticated }
  switch (grantType) {
    case 'client_credentials':
      return grantClientCredentials(deps, ofClient)
    case TOKEN_EXCHANGE:
      return grantTokenExchange(deps, ofClient)
    default:
      return refuse('unsupported_grant_type', `grant_type is not supported; use ${GRANT_TYPES.join(' or ')}`)
  }
}

/** RFC 6749 §5.1. RFC 8693 §2.2.1 adds `issued_token_type`. */
const responseOf = (
  { accessToken, expiresIn, scope, tokenType, task, tools, resources, maxCalls, refreshToken, clientId }: IssuedToken,
  grantType: string,
) => ({
  access_token: accessToken,
  token_type: tokenType,
  expires_in: expiresIn,
  scope,
  ...(refreshToken !== undefined && { refresh_token: refreshToken }),
  ...(clientId !== undefined && { client_id: clientId }),
  ...(task && {
    task_id: task.id,
    task_bound: true,
    ...(task.reference !== undefined && { task_reference: task.reference }),
    ...(task.ancestors[0] && { parent_task_id: task.ancestors[0], scope_inheritance: 'restricted' }),
  }),
  ...(tools && { allowed_tools: tools }),
  ...(resources && { allowed_resources: resources }),
  ...(maxCalls !== undefined && { max_calls: maxCalls }),
  ...(grantType === TOKEN_EXCHANGE && { issued_token_type: ACCESS_TOKEN_TYPE }),
})

const RETRY: ReadonlySet<string> = new Set(['use_dpop_nonce', 'unavailable', 'authorization_pending', 'slow_down'])

/**
 * Records a refusal of an authenticated client in the audit log, except those that only ask the client to retry, and those of a client without
 * organisation, which nobody could read.
 */
async function auditRefusal<T>(
  { audit }: { readonly audit: Audit },
  { client: { id, orgId } }: AuthenticatedClient | AuthenticatedExternal,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const actor = ActorId.safeParse(id)
    if (isRefusal(error) && !RETRY.has(error.reason) && orgId && actor.success)
      await audit.record({ orgId, actor: actor.data, action: 'oauth.token', outcome: 'refused', reason: error.reason })
    throw error
  }
}
