import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { ApprovalId } from '../../protocol/ids.js'
import { Delegation, parseScope } from '../../protocol/rights.js'
import { type Narrowing, parseNarrowing, parseParameter } from './narrowing.js'

export const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

/** A token exchange request (RFC 8693 §2.1). Credence adds the narrowing parameters and, as JSON, `delegation`. */
export interface ExchangeRequest extends Narrowing {
  readonly subjectToken: string
  readonly actorToken?: string | undefined
  readonly delegation?: Delegation | undefined
  readonly approvalId?: ApprovalId | undefined
}

export function parseExchange(form: OAuthForm): ExchangeRequest {
  const narrowing = parseNarrowing(form, [...AUDIENCE_PARAMETERS, ...EXCHANGE_PARAMETERS])
  const subjectToken = form.get('subject_token') ?? refuse('invalid_request', 'subject_token is missing')
  requireType(form, 'subject_token_type', true)
  const actorToken = form.get('actor_token')
  // RFC 8693 §2.1: actor_token_type is required with actor_token, and forbidden without it.
  if ((actorToken === undefined) !== (form.get('actor_token_type') === undefined))
    refuse('invalid_request', 'send actor_token and actor_token_type together, or neither')
  if (actorToken !== undefined) requireType(form, 'actor_token_type', true)
  requireType(form, 'requested_token_type', false)
  const scope = form.get('scope')
  if (scope !== undefined && parseScope(scope) === undefined) refuse('invalid_scope', 'the scope is malformed')
  return { ...narrowing, subjectToken, actorToken, ...parseAudienceParameters(form) }
}

/** Parameters of RFC 8693 that no other grant has. */
const EXCHANGE_PARAMETERS = ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'requested_token_type']

/** Parameters of every request for an audience, besides those of every grant. */
export const AUDIENCE_PARAMETERS = ['delegation', 'max_calls', 'approval_id']

export const parseAudienceParameters = (form: OAuthForm): Pick<ExchangeRequest, 'delegation' | 'approvalId'> => ({
  delegation: parseParameter(form, 'delegation', Delegation, true),
  approvalId: parseParameter(form, 'approval_id', ApprovalId, false),
})

function requireType(form: OAuthForm, name: string, isRequired: boolean): void {
  const type = form.get(name)
  if (type === undefined ? isRequired : type !== ACCESS_TOKEN_TYPE) refuse('invalid_request', `${name} must be ${ACCESS_TOKEN_TYPE}`)
}
