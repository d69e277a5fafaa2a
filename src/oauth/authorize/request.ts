import { z } from 'zod'
import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { Audience, Jkt, TaskId } from '../../protocol/ids.js'
import { Delegation, Names, parseScope } from '../../protocol/rights.js'
import { parseParameter } from '../grants/narrowing.js'
import type { AuthorizationRequest } from './store.js'

/** Scope that asks for refresh tokens (OpenID Connect Core §11). No audience offers it. */
export const OFFLINE_SCOPE = 'offline_access'
/** Parameters of an authorization request that may be repeated (RFC 8707 §2). */
export const REPEATABLE = ['resource']

const Challenge = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be the base64url SHA-256 of the verifier: 43 characters')
const State = z.string().max(512, 'must have at most 512 characters')
const Prompt = z.enum(['none', 'login', 'consent'])
const MaxAge = z
  .string()
  .regex(/^\d{1,9}$/, 'must be a whole number of seconds')
  .transform(Number)
const MAX_RESOURCES = 8

/** The `state` that an error response returns: also of a request that is refused. */
export const stateOf = (form: OAuthForm): string | undefined => {
  const state = State.safeParse(form.get('state'))
  return state.success ? state.data : undefined
}

/**
 * Parses the parameters of an authorization request, except those that name the client and where the browser is sent.
 *
 * @see [RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.1.1), [RFC 7636 §4.3](https://www.rfc-editor.org/rfc/rfc7636.html#section-4.3)
 */
export function parseAuthorizationRequest(form: OAuthForm, issuer: string): Omit<AuthorizationRequest, 'redirectUri'> {
  const state = parseParameter(form, 'state', State, false)
  if (form.get('response_type') === undefined) refuse('invalid_request', 'response_type is missing')
  if (form.get('response_type') !== 'code') refuse('unsupported_response_type', 'response_type must be code')
  if ((form.get('response_mode') ?? 'query') !== 'query') refuse('invalid_request', 'response_mode must be query')
  if (form.get('request') !== undefined) refuse('request_not_supported', 'request: request objects are not supported; push the request')
  const challenge = parseParameter(form, 'code_challenge', Challenge, false) ?? refuse('invalid_request', 'code_challenge is missing')
  if (form.get('code_challenge_method') !== 'S256') refuse('invalid_request', 'code_challenge_method must be S256')
  const prompt = parseParameter(form, 'prompt', Prompt, false)
  const maxAge = parseParameter(form, 'max_age', MaxAge, false)
  return {
    ...parseRequestedRights(form, issuer),
    ...(state !== undefined && { state }),
    challenge,
    ...(prompt && { prompt }),
    ...(maxAge !== undefined && { maxAge }),
  }
}

/** Parses what a client asks a person for, and the key that it will use. */
export function parseRequestedRights(form: OAuthForm, issuer: string): AuthorizationRequest {
  if (form.get('authorization_details') !== undefined)
    refuse('invalid_authorization_details', 'authorization_details: no types are supported')
  const scopes = requestedScopes(form)
  const resources = [...new Set(form.getAll('resource'))]
  if (resources.length > MAX_RESOURCES) refuse('invalid_target', `name at most ${MAX_RESOURCES} resources`)
  const audiences = (resources.length === 0 ? [issuer] : resources).map((name) => {
    const audience = Audience.safeParse(name)
    return audience.success ? audience.data : refuse('invalid_target', 'a resource is not an audience of this registry')
  })
  const tools = parseParameter(form, 'allowed_tools', Names, true)
  const allowedResources = parseParameter(form, 'allowed_resources', Names, true)
  const delegation = parseParameter(form, 'delegation', Delegation, true)
  const taskId = parseParameter(form, 'task_id', TaskId, false)
  const jkt = parseParameter(form, 'dpop_jkt', Jkt, false)
  const named = scopes?.filter((scope) => scope !== OFFLINE_SCOPE)
  return {
    audiences,
    ...(named && named.length > 0 && { scopes: named }),
    isOffline: scopes?.some((scope) => scope === OFFLINE_SCOPE) ?? false,
    ...(tools && { tools }),
    ...(allowedResources && { resources: allowedResources }),
    ...(delegation && { delegation }),
    ...(taskId && { taskId }),
    ...(jkt && { jkt }),
  }
}

function requestedScopes(form: OAuthForm) {
  const text = form.get('scope')
  const scopes = text === undefined ? undefined : (parseScope(text) ?? refuse('invalid_scope', 'the scope is malformed'))
  if (scopes?.some((scope) => scope === 'openid')) refuse('invalid_scope', 'openid: no ID tokens are issued')
  return scopes
}
