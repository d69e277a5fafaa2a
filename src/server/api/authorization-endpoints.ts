// Describes the endpoints at which a client asks a person, for docs/API.md and schemas/openapi.json.
import { z } from 'zod'
import { Audience, TaskId } from '../../protocol/ids.js'
import { Delegation, Names } from '../../protocol/rights.js'
import type { HttpEndpoint } from './http-endpoint.js'
import { ClientAssertion, jsonText, OptionalClientAssertion } from './oauth-endpoints.js'

const AuthorizationParameters = {
  client_id: z.string(),
  response_type: z.literal('code').optional(),
  redirect_uri: z.string().optional(),
  state: z.string().max(512).optional(),
  code_challenge: z.string().optional(),
  code_challenge_method: z.literal('S256').optional(),
  scope: z.string().optional(),
  resource: Audience.optional(),
  task_id: TaskId.optional(),
  allowed_tools: jsonText(Names, 'names of tools').optional(),
  allowed_resources: jsonText(Names, 'names of resources').optional(),
  delegation: jsonText(Delegation, 'how far the client may pass on what it gets').optional(),
  prompt: z.enum(['none', 'login', 'consent']).optional(),
  max_age: z.string().optional(),
  dpop_jkt: z.string().optional(),
}

export const AUTHORIZATION_ENDPOINTS: readonly HttpEndpoint[] = [
  {
    method: 'POST',
    path: '/oauth/par',
    tag: 'OAuth',
    summary:
      'Push an authorization request. The browser of the person then comes with its `request_uri`. A DPoP proof binds the code to its key.',
    caller: 'registered clients with redirect URIs',
    source: 'RFC 9126 §2, RFC 9449 §10.1',
    body: z.object({ ...ClientAssertion, ...AuthorizationParameters }),
    response: { type: 'application/json', schema: z.object({ request_uri: z.string(), expires_in: z.int() }), status: 201 },
    reasons: [
      'invalid_request',
      'invalid_client',
      'unauthorized_client',
      'unsupported_response_type',
      'request_not_supported',
      'invalid_scope',
      'invalid_target',
      'invalid_authorization_details',
      'invalid_dpop_proof',
      'use_dpop_nonce',
      'rate_limited',
      'standing_unknown',
    ],
  },
  {
    method: 'POST',
    path: '/oauth/device_authorization',
    tag: 'OAuth',
    summary:
      'Request the authorization of a person from a device without a browser. The device shows `user_code` and `verification_uri`, and polls the token endpoint with `device_code`. A DPoP proof binds the code to its key. With `client_id=cli_device`, `agent_name` and a proof, the approval registers a new agent with this key.',
    caller: 'registered clients, public clients, and `cli_device`',
    source: 'RFC 8628 §3.1, RFC 9449',
    body: z.object({
      ...OptionalClientAssertion,
      agent_name: z.string().max(128).optional().describe('Required for `cli_device`: the name of the new agent'),
      scope: AuthorizationParameters.scope,
      resource: AuthorizationParameters.resource,
      task_id: AuthorizationParameters.task_id,
      allowed_tools: AuthorizationParameters.allowed_tools,
      allowed_resources: AuthorizationParameters.allowed_resources,
      delegation: AuthorizationParameters.delegation,
      dpop_jkt: AuthorizationParameters.dpop_jkt,
    }),
    response: {
      type: 'application/json',
      schema: z.object({
        device_code: z.string(),
        user_code: z.string(),
        verification_uri: z.string(),
        verification_uri_complete: z.string(),
        expires_in: z.int(),
        interval: z.int(),
      }),
    },
    reasons: [
      'invalid_request',
      'invalid_client',
      'unauthorized_client',
      'invalid_scope',
      'invalid_target',
      'invalid_authorization_details',
      'invalid_dpop_proof',
      'use_dpop_nonce',
      'rate_limited',
      'standing_unknown',
      'unavailable',
    ],
  },
  {
    method: 'GET',
    path: '/oauth/authorize',
    tag: 'OAuth',
    summary:
      'The page on which a person decides about a request. Agents that a member has registered push their requests first and send `client_id` and `request_uri` only.',
    caller: 'browsers',
    source: 'RFC 6749 §3.1, RFC 7636, RFC 8707, RFC 9126 §4, RFC 9207',
    parameters: z.object({ request_uri: z.string().optional(), ...AuthorizationParameters }),
    response: { type: 'text/html', schema: z.string() },
    reasons: ['invalid_request', 'invalid_request_uri', 'unauthorized_client', 'rate_limited', 'standing_unknown'],
  },
  {
    method: 'POST',
    path: '/oauth/authorize/decision',
    tag: 'OAuth',
    summary:
      'The form of that page. The browser is sent back to the client with `code` or `error`, and with `state` and `iss`; for a device it gets a page.',
    caller: 'browsers with a session',
    source: 'RFC 6749 §4.1.2, RFC 9207',
    body: z.object({
      request: z.string(),
      client_id: z.string(),
      decision: z.enum(['allow', 'deny']),
      right: z.string().optional(),
      passOn: z.literal('yes').optional(),
      duration: z.enum(['once', 'task', 'until']).optional(),
      until: z.string().optional(),
      agentName: z.string().max(128).optional().describe('The name of the agent that the approval of a device registers'),
    }),
    response: { type: 'text/html', schema: z.string() },
    reasons: ['invalid_request_uri', 'bad_input', 'csrf', 'conflict', 'standing_unknown'],
  },
  {
    method: 'POST',
    path: '/session/token',
    tag: 'OAuth',
    summary:
      'Issue a root token of the person to a page of this registry: valid for 300 s, bound to the key of the DPoP proof, and revoked with the session (`sid`). It makes no credential of a member, which would outlive the session: `sessions.ticket`, `keys.register`, `keys.rotate` and `keys.issueCode` for a member refuse it. The header `X-CSRF-Token` has the content of `<meta name="csrf-token">` of a page.',
    caller: 'pages of this registry, with the cookie of a session',
    source: 'RFC 9449 §5',
    response: {
      type: 'application/json',
      schema: z.object({ access_token: z.string(), token_type: z.literal('DPoP'), expires_in: z.int(), scope: z.string() }),
    },
    reasons: ['login_required', 'csrf', 'invalid_dpop_proof', 'use_dpop_nonce', 'rate_limited', 'unavailable', 'standing_unknown'],
  },
]
