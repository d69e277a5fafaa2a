// Describes the HTTP endpoints for docs/API.md and schemas/openapi.json. A test compares this list with the served routes.
import { z } from 'zod'
import { CardView } from '../../protocol/cards/card-view.js'
import { AgentId, OrgId } from '../../protocol/ids.js'
import { ARD_ENDPOINTS } from './ard-endpoints.js'
import { AUTHORIZATION_ENDPOINTS } from './authorization-endpoints.js'
import type { HttpEndpoint } from './http-endpoint.js'
import { LOG_ENDPOINTS } from './log-endpoints.js'
import { OAUTH_ENDPOINTS } from './oauth-endpoints.js'
import { REGISTRATION_ENDPOINTS } from './registration-endpoints.js'

const json = (schema: z.ZodType) => ({ type: 'application/json', schema })
const Jwk = z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string().optional(), use: z.string().optional() })
const AgentPath = z.object({ id: AgentId })
const IssuerMetadata = z.object({ issuer: z.string(), jwks_uri: z.string().optional(), jwks: z.object({ keys: z.array(Jwk) }).optional() })
const ISSUERS = [
  ['', 'the registry'],
  ['/agents/:id', 'an agent that signed its published card itself', AgentPath],
  ['/organisations/:id', 'an organisation: its publisher keys', z.object({ id: OrgId })],
] as const
const publicGet = (path: string, tag: HttpEndpoint['tag'], summary: string, response: HttpEndpoint['response']): HttpEndpoint => ({
  ...{ method: 'GET', path, tag, summary, caller: 'anyone', response, reasons: [] },
  ...(path.includes(':id') && { parameters: AgentPath }),
})

export const HTTP_ENDPOINTS: readonly HttpEndpoint[] = [
  publicGet('/', 'Discovery documents', 'A page for people that links the public documents.', { type: 'text/html' }),
  publicGet('/agents/:id/', 'Cards', 'Redirects to the public card.', { type: 'text/plain', status: 307 }),
  ...OAUTH_ENDPOINTS,
  ...AUTHORIZATION_ENDPOINTS,
  ...REGISTRATION_ENDPOINTS,
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
  ...LOG_ENDPOINTS,
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
