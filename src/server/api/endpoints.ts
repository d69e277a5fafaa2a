// Describes the HTTP endpoints for docs/API.md and schemas/openapi.json. A test compares this list with the served routes.
import { z } from 'zod'
import { CardView } from '../../protocol/cards/card-view.js'
import { AccessTokenClaims } from '../../protocol/claims.js'
import { AgentId, Audience, OrgId, TaskId } from '../../protocol/ids.js'
import { Entry } from '../../protocol/log/entry.js'
import { Delegation, ExchangeRights, Names } from '../../protocol/rights.js'
import { WitnessSubmission } from '../../trust-log/witness/cosigned-logs.js'
import { ARD_ENDPOINTS } from './ard-endpoints.js'
import type { HttpEndpoint } from './http-endpoint.js'

const json = (schema: z.ZodType) => ({ type: 'application/json', schema })
const ClientAssertion = {
  client_assertion_type: z.literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  client_assertion: z.string().describe('JWT signed by a registered key of the client (RFC 7523 §3)'),
}
const jsonText = (schema: z.ZodType, what: string) =>
  z
    .string()
    .describe(`JSON: ${what}`)
    .meta({ contentSchema: z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }) })
const Jwk = z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string().optional(), use: z.string().optional() })
const Hash = z.string().describe('base64url SHA-256')
const AgentPath = z.object({ id: AgentId })
const IssuerMetadata = z.object({ issuer: z.string(), jwks_uri: z.string().optional(), jwks: z.object({ keys: z.array(Jwk) }).optional() })
const ISSUERS = [
  ['', 'the registry'],
  ['/agents/:id', 'an agent that signed its published card itself', AgentPath],
  ['/organisations/:id', 'an organisation: its publisher keys', z.object({ id: OrgId })],
] as const
const Log = z.object({ log: z.string().describe('name of the log: the host of its issuer') })
const AuthorizationServer = z.looseObject({
  issuer: z.string(),
  token_endpoint: z.string(),
  introspection_endpoint: z.string(),
  revocation_endpoint: z.string(),
  jwks_uri: z.string(),
  scopes_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  credence_revocations: z.string().describe('URL of the revocation feed'),
  credence_log: z.string().describe('URL of the newest checkpoint'),
})
const ProtectedResource = z.looseObject({
  resource: z.string(),
  authorization_servers: z.array(z.string()),
  jwks_uri: z.string(),
  scopes_supported: z.array(z.string()),
})

const publicGet = (path: string, tag: HttpEndpoint['tag'], summary: string, response: HttpEndpoint['response']): HttpEndpoint => ({
  ...{ method: 'GET', path, tag, summary, caller: 'anyone', response, reasons: [] },
  ...(path.includes(':id') && { parameters: AgentPath }),
})

export const HTTP_ENDPOINTS: readonly HttpEndpoint[] = [
  publicGet('/', 'Discovery documents', 'A page for people that links the public documents.', { type: 'text/html' }),
  publicGet('/agents/:id/', 'Cards', 'Redirects to the public card.', { type: 'text/plain', status: 307 }),
  {
    method: 'POST',
    path: '/oauth/token',
    tag: 'OAuth',
    summary: 'Issue a root token (client_credentials) or exchange a token for an audience (token exchange). Needs the header `DPoP`.',
    caller: 'registered clients',
    source: 'RFC 6749 §3.2, RFC 8693 §2, RFC 9449 §5',
    body: z.object({
      ...ClientAssertion,
      grant_type: z.enum(['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange']),
      scope: z.string().optional(),
      subject_token: z.string().optional(),
      subject_token_type: z.literal('urn:ietf:params:oauth:token-type:access_token').optional(),
      actor_token: z.string().optional(),
      actor_token_type: z.literal('urn:ietf:params:oauth:token-type:access_token').optional(),
      requested_token_type: z.literal('urn:ietf:params:oauth:token-type:access_token').optional(),
      audience: Audience.optional(),
      resource: Audience.optional(),
      task_id: TaskId.optional(),
      delegation: jsonText(Delegation, 'how far the token may be delegated').optional(),
      allowed_tools: jsonText(Names, 'names of tools').optional(),
      allowed_resources: jsonText(Names, 'names of resources').optional(),
      required_tools: jsonText(Names, 'names of tools that the token must allow').optional(),
      required_resources: jsonText(Names, 'names of resources that the token must allow').optional(),
      exchange_rights: jsonText(ExchangeRights, 'client_credentials only: the most that the root token may be exchanged for').optional(),
      expires_in: z.string().optional(),
    }),
    response: json(
      z.object({
        access_token: z.string(),
        token_type: z.literal('DPoP'),
        expires_in: z.int(),
        scope: z.string(),
        issued_token_type: z.string().optional(),
      }),
    ),
    reasons: [
      'invalid_request',
      'invalid_client',
      'invalid_dpop_proof',
      'use_dpop_nonce',
      'unsupported_grant_type',
      'invalid_scope',
      'invalid_target',
      'invalid_authorization_details',
      'delegation_cycle',
      'delegation_too_deep',
      'standing_too_large',
      'standing_unknown',
    ],
  },
  {
    method: 'POST',
    path: '/oauth/introspect',
    tag: 'OAuth',
    summary: 'Return the current state of a token: `{ "active": false }` if it is not active or the caller may not see it.',
    caller: "the token's audience, its client, administrators of the client's organisation, operators",
    source: 'RFC 7662 §2',
    body: z.object({ ...ClientAssertion, token: z.string(), token_type_hint: z.string().optional() }),
    response: json(
      z.union([
        z.object({ active: z.literal(false) }),
        AccessTokenClaims.omit({ standing: true }).extend({ active: z.literal(true), token_type: z.literal('DPoP') }),
      ]),
    ),
    reasons: ['invalid_request', 'invalid_client', 'standing_unknown'],
  },
  {
    method: 'POST',
    path: '/oauth/revoke',
    tag: 'OAuth',
    summary: 'Revoke a token of the caller and every token that came from it. Unknown tokens get the same response.',
    caller: 'the client of the token',
    source: 'RFC 7009 §2',
    body: z.object({ ...ClientAssertion, token: z.string(), token_type_hint: z.string().optional() }),
    response: json(z.object({})),
    reasons: ['invalid_request', 'invalid_client', 'standing_unknown'],
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
    path: '/.well-known/jwks.json',
    tag: 'Discovery documents',
    summary: 'Public signing keys of the registry: token, card and log keys.',
    caller: 'anyone',
    source: 'RFC 7517 §5',
    response: json(z.object({ keys: z.array(Jwk) })),
    reasons: [],
  },
  {
    method: 'GET',
    path: '/agents/:id/.well-known/agent-card.json',
    tag: 'Cards',
    summary:
      'The public card: the exact bytes that the publisher signed, with a strong ETag. With the header `A2A-Version: 0.3`, the card in the form of A2A 0.3, without signatures.',
    caller: 'anyone',
    source: 'A2A §8.2',
    parameters: AgentPath,
    response: json(z.looseObject({ name: z.string() })),
    reasons: ['not_found', 'gone'],
  },
  {
    method: 'GET',
    path: '/agents/:id/card',
    tag: 'Cards',
    summary: 'The parts of the card that the caller may see, with the SD-JWT and a signed view.',
    caller: 'anyone; a root token (header `Authorization: DPoP …`) shows more',
    parameters: AgentPath,
    response: json(CardView),
    reasons: ['not_found', 'gone', 'invalid_token', 'invalid_dpop_proof'],
  },
  {
    method: 'GET',
    path: '/agents/:id/jwks.json',
    tag: 'Cards',
    summary: 'The registered key that signed the current card.',
    caller: 'anyone',
    parameters: AgentPath,
    response: json(z.object({ keys: z.array(Jwk) })),
    reasons: ['not_found'],
  },
  {
    ...publicGet('/vct/a2a-agent-card/1', 'Cards', 'SD-JWT VC type metadata of a card.', json(z.looseObject({ vct: z.string() }))),
    source: 'SD-JWT VC draft 26 §5',
  },
  ...ARD_ENDPOINTS,
  ...ISSUERS.map(([owner, summary, parameters]) => ({
    ...publicGet(`/.well-known/jwt-vc-issuer${owner}`, 'Cards', `JWT VC issuer metadata of ${summary}.`, json(IssuerMetadata)),
    ...{ source: 'SD-JWT VC draft 26 §4', ...(parameters && { parameters, reasons: ['not_found'] }) },
  })),
  {
    method: 'GET',
    path: '/log/checkpoint',
    tag: 'Trust log',
    summary: 'The newest checkpoint: a signed note over size, root and epoch.',
    caller: 'anyone',
    source: 'C2SP tlog-checkpoint',
    response: { type: 'text/plain' },
    reasons: [],
  },
  {
    method: 'GET',
    path: '/log/entries',
    tag: 'Trust log',
    summary:
      'Up to 1,000 entries or about 1 MiB, beginning with the sequence number `from`. Each entry is on a line of its own, in the RFC 8785 form that its leaf hashes.',
    caller: 'anyone',
    parameters: z.object({ from: z.int().min(0).optional(), limit: z.int().min(0).max(1000).optional() }),
    response: json(z.object({ entries: z.array(Entry), asOf: z.string() })),
    reasons: ['bad_input'],
  },
  {
    method: 'GET',
    path: '/log/inclusion',
    tag: 'Trust log',
    summary: 'Proof that entry `seq` is in the tree of `size` leaves (default: all).',
    caller: 'anyone',
    source: 'RFC 6962 §2.1.1',
    parameters: z.object({ seq: z.int().min(0), size: z.int().min(0).optional() }),
    response: json(z.object({ seq: z.int(), index: z.int(), size: z.int(), hashes: z.array(Hash) })),
    reasons: ['bad_input', 'not_found'],
  },
  {
    method: 'GET',
    path: '/log/consistency',
    tag: 'Trust log',
    summary: 'Proof that the tree of `from` leaves is the beginning of the tree of `to` leaves (default: all).',
    caller: 'anyone',
    source: 'RFC 6962 §2.1.2',
    parameters: z.object({ from: z.int().min(0), to: z.int().min(0).optional() }),
    response: json(z.object({ from: z.int(), to: z.int(), hashes: z.array(Hash) })),
    reasons: ['bad_input', 'not_found'],
  },
  {
    method: 'GET',
    path: '/witness',
    tag: 'Witness',
    summary: 'The newest checkpoint that this registry has accepted for a log that it witnesses.',
    caller: 'anyone',
    parameters: Log,
    response: json(z.looseObject({ log: z.string() })),
    reasons: ['bad_input', 'forbidden'],
  },
  {
    method: 'POST',
    path: '/witness',
    tag: 'Witness',
    summary: 'Submit a newer checkpoint with a consistency proof from the last accepted checkpoint.',
    caller: 'anyone; only checkpoints signed by the log are accepted',
    parameters: Log,
    body: WitnessSubmission,
    isJson: true,
    response: json(z.looseObject({ log: z.string() })),
    reasons: ['bad_input', 'forbidden', 'conflict', 'unavailable'],
  },
  {
    method: 'GET',
    path: '/revocations',
    tag: 'Revocations',
    summary:
      'WebSocket with the subprotocol `a2a-revocation.v1+json`: streams revocations from a position. Messages: feed-client and feed-server schemas.',
    caller: 'a root token with revocations:read, or a ticket as the second subprotocol',
    source: 'RFC 6455',
    response: { type: 'text/plain' },
    reasons: ['invalid_token', 'insufficient_scope', 'origin_not_allowed', 'rate_limited'],
  },
]
