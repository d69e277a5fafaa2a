// Describes the OAuth endpoints and the metadata documents for docs/API.md and schemas/openapi.json.
import { z } from 'zod'
import { TaskChain } from '../../oauth/revoke.js'
import { GRANT_TYPES } from '../../oauth/token-endpoint.js'
import { AccessTokenClaims } from '../../protocol/claims.js'
import { EndNote, EndReason } from '../../protocol/end-reason.js'
import { AgentId, ApprovalId, Audience, TaskId } from '../../protocol/ids.js'
import { Delegation, ExchangeRights, MAX_CALLS, Names } from '../../protocol/rights.js'
import type { HttpEndpoint } from './http-endpoint.js'

const json = (schema: z.ZodType) => ({ type: 'application/json', schema })
const AgentPath = z.object({ id: AgentId })
export const ClientAssertion = {
  client_assertion_type: z.literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  client_assertion: z.string().describe('JWT signed by a registered key of the client (RFC 7523 §3)'),
}
/** A public client sends its `client_id` instead. */
export const OptionalClientAssertion = {
  client_id: z.string().optional().describe('Required without an assertion: the id of a public client (RFC 6749 §3.2.1)'),
  client_assertion_type: ClientAssertion.client_assertion_type.optional(),
  client_assertion: ClientAssertion.client_assertion.optional().describe('Required of every client that is not public (RFC 7523 §3)'),
  agent_id: AgentId.optional().describe('The agent as which a client acts whose `client_id` is a URL'),
}
export const jsonText = (schema: z.ZodType, what: string) =>
  z.string().meta({ description: `JSON: ${what}`, contentSchema: z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) })
const accessTokenType = z.literal('urn:ietf:params:oauth:token-type:access_token').optional()
const AuthorizationServer = z.looseObject({
  issuer: z.string(),
  authorization_endpoint: z.string(),
  pushed_authorization_request_endpoint: z.string(),
  device_authorization_endpoint: z.string(),
  token_endpoint: z.string(),
  introspection_endpoint: z.string(),
  revocation_endpoint: z.string(),
  jwks_uri: z.string(),
  registration_endpoint: z.string().optional(),
  client_id_metadata_document_supported: z.boolean().optional(),
  scopes_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  credence_revocations: z.string().describe('URL of the revocation feed'),
  credence_log: z.string().describe('URL of the newest checkpoint'),
})
const ProtectedResource = z.looseObject({
  resource: z.string(),
  authorization_servers: z.array(z.string()),
  scopes_supported: z.array(z.string()).optional(),
  bearer_methods_supported: z.tuple([z.literal('header')]),
  dpop_bound_access_tokens_required: z.boolean(),
  resource_name: z.string().optional(),
  jwks_uri: z.string().optional(),
})

const HistoryTask = z.object({ task_id: TaskId, state: z.enum(['active', 'expired', 'ended']), description: z.string().optional() })
const TaskHistory = z.object({
  current_task: HistoryTask.nullable(),
  parent_tasks: z.array(HistoryTask).describe('nearest first'),
  task_chain: z.array(TaskId).describe("from the first task to the token's own"),
  execution_pattern: z.enum(['normal', 'unusual', 'unknown']),
  risk_assessment: z.enum(['low', 'medium', 'high', 'unknown']),
  execution_logs: z
    .array(z.object({ event: z.string(), time: z.int(), audience: Audience.nullable(), outcome: z.enum(['done', 'refused']) }))
    .max(50)
    .describe("newest first; those of other audiences only for the organisation of the task's owner"),
})

export const OAUTH_ENDPOINTS: readonly HttpEndpoint[] = [
  {
    method: 'POST',
    path: '/oauth/token',
    tag: 'OAuth',
    summary:
      'Issue a root token (client_credentials), exchange a token for an audience (token exchange), redeem a code, use a refresh token or poll with a device code. Needs the header `DPoP`, except for a bearer token of a resource that accepts them. A refresh may be repeated with the same `Idempotency-Key` for a minute.',
    caller: 'registered clients; public clients with a code, a device code or a refresh token',
    source: 'RFC 6749 §3.2, RFC 7636 §4.5, RFC 8628 §3.4, RFC 8693 §2, RFC 8707 §2.2, RFC 9449 §5',
    body: z.object({
      ...OptionalClientAssertion,
      grant_type: z.enum(GRANT_TYPES),
      code: z.string().optional(),
      device_code: z.string().optional(),
      redirect_uri: z.string().optional(),
      code_verifier: z.string().optional(),
      refresh_token: z.string().optional(),
      scope: z.string().optional(),
      subject_token: z.string().optional(),
      subject_token_type: accessTokenType,
      actor_token: z.string().optional(),
      actor_token_type: accessTokenType,
      requested_token_type: accessTokenType,
      audience: Audience.optional(),
      resource: Audience.optional(),
      task_id: z.string().optional().describe('The id of a task, or a reference of the client'),
      task_description: z.string().max(1024).optional().describe('Creates the task if there is none'),
      parent_task_id: z.string().optional().describe('The id or reference of the parent of the task'),
      delegation: jsonText(Delegation, 'how far the token may be delegated').optional(),
      allowed_tools: jsonText(Names, 'names of tools').optional(),
      allowed_resources: jsonText(Names, 'names of resources').optional(),
      required_tools: jsonText(Names, 'names of tools that the token must allow').optional(),
      required_resources: jsonText(Names, 'names of resources that the token must allow').optional(),
      approval_id: ApprovalId.describe('Tokens for an audience only: the approval that the request takes').optional(),
      exchange_rights: jsonText(ExchangeRights, 'client_credentials only: the most that the root token may be exchanged for').optional(),
      expires_in: z.string().optional().describe('Seconds, at least 1'),
      max_calls: z.string().optional().describe(`Tokens for an audience only: the most calls with the token, 1 to ${MAX_CALLS}`),
    }),
    response: json(
      z.object({
        access_token: z.string(),
        token_type: z.enum(['DPoP', 'Bearer']),
        expires_in: z.int(),
        scope: z.string(),
        issued_token_type: z.string().optional(),
        refresh_token: z.string().optional(),
        task_id: TaskId.optional(),
        task_bound: z.literal(true).optional(),
        task_reference: z.string().optional(),
        parent_task_id: TaskId.optional(),
        scope_inheritance: z.literal('restricted').optional(),
        allowed_tools: Names.optional(),
        allowed_resources: Names.optional(),
        max_calls: z.int().optional(),
        client_id: AgentId.optional().describe('The agent that a device has become'),
      }),
    ),
    reasons: [
      'invalid_request',
      'invalid_client',
      'invalid_dpop_proof',
      'use_dpop_nonce',
      'invalid_grant',
      'authorization_pending',
      'slow_down',
      'access_denied',
      'expired_token',
      'unauthorized_client',
      'unsupported_grant_type',
      'invalid_scope',
      'invalid_target',
      'invalid_authorization_details',
      'delegation_cycle',
      'delegation_too_deep',
      'approval_required',
      'insufficient_budget',
      'conflict',
      'rate_limited',
      'standing_too_large',
      'standing_unknown',
    ],
  },
  {
    method: 'POST',
    path: '/oauth/introspect',
    tag: 'OAuth',
    summary:
      'Return the current state of a token: `{ "active": false }` if it is not active or the caller may not see it. With `Accept: application/token-introspection+jwt` the response is a JWT that the registry signed (RFC 9701).',
    caller: "the token's audience, its client, administrators of the client's organisation, operators",
    source: 'RFC 7662 §2, RFC 9701',
    body: z.object({
      ...ClientAssertion,
      token: z.string(),
      token_type_hint: z.string().optional(),
      include_task_history: z.enum(['true', 'false']).optional(),
    }),
    response: json(
      z.union([
        z.object({ active: z.literal(false) }),
        AccessTokenClaims.omit({ standing: true }).extend({
          active: z.literal(true),
          token_type: z.enum(['DPoP', 'Bearer']),
          task_history: TaskHistory.optional().describe('with `include_task_history=true`'),
        }),
      ]),
    ),
    reasons: ['invalid_request', 'invalid_client', 'rate_limited', 'standing_unknown'],
  },
  {
    method: 'POST',
    path: '/oauth/revoke',
    tag: 'OAuth',
    summary:
      'Revoke a token of the caller and every token that came from it. Unknown tokens get the same response. With `affected_task_chain` the response says whether the token was one of the caller; if the caller may not end one of the tasks, nothing is revoked.',
    caller: 'the client of the token',
    source: 'RFC 7009 §2',
    body: z.object({
      ...ClientAssertion,
      token: z.string(),
      token_type_hint: z.string().optional(),
      reason: EndReason.optional(),
      note: EndNote.optional(),
      affected_task_chain: jsonText(TaskChain, 'ids of the tasks that end with the token').optional(),
    }),
    response: json(z.object({ revoked: z.boolean().optional(), affected_tasks_terminated: z.literal(true).optional() })),
    reasons: ['invalid_request', 'invalid_client', 'not_found', 'standing_unknown'],
  },
  {
    method: 'GET',
    path: '/.well-known/oauth-authorization-server',
    tag: 'Discovery documents',
    summary: 'Authorization server metadata.',
    caller: 'anyone',
    source: 'RFC 8414 §2',
    response: json(AuthorizationServer),
    reasons: [],
  },
  {
    method: 'GET',
    path: '/.well-known/openid-configuration',
    tag: 'Discovery documents',
    summary: 'The same for clients that look for OpenID Connect metadata. No ID token is issued.',
    caller: 'anyone',
    source: 'RFC 8414 §5',
    response: json(AuthorizationServer),
    reasons: [],
  },
  {
    method: 'GET',
    path: '/.well-known/oauth-protected-resource',
    tag: 'Discovery documents',
    summary: 'Protected resource metadata of the registry.',
    caller: 'anyone',
    source: 'RFC 9728 §2',
    response: json(ProtectedResource),
    reasons: [],
  },
  {
    method: 'GET',
    path: '/.well-known/oauth-protected-resource/agents/:id',
    tag: 'Discovery documents',
    summary: 'Protected resource metadata of an agent, from its public card.',
    caller: 'anyone',
    source: 'RFC 9728 §2',
    parameters: AgentPath,
    response: json(ProtectedResource),
    reasons: ['not_found', 'gone'],
  },
]
