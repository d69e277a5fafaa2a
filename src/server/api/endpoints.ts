// Describes the HTTP endpoints for docs/API.md and schemas/openapi.json. A test compares this list with the served routes.
import { z } from 'zod'
import { CardView } from '../../protocol/cards/card-view.js'
import { AgentId, OrgId } from '../../protocol/ids.js'
import { Entry } from '../../protocol/log/entry.js'
import { WitnessSubmission } from '../../trust-log/witness/cosigned-logs.js'
import { ARD_ENDPOINTS } from './ard-endpoints.js'
import type { HttpEndpoint } from './http-endpoint.js'
import { OAUTH_ENDPOINTS } from './oauth-endpoints.js'

const json = (schema: z.ZodType) => ({ type: 'application/json', schema })
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
const publicGet = (path: string, tag: HttpEndpoint['tag'], summary: string, response: HttpEndpoint['response']): HttpEndpoint => ({
  ...{ method: 'GET', path, tag, summary, caller: 'anyone', response, reasons: [] },
  ...(path.includes(':id') && { parameters: AgentPath }),
})

export const HTTP_ENDPOINTS: readonly HttpEndpoint[] = [
  publicGet('/', 'Discovery documents', 'A page for people that links the public documents.', { type: 'text/html' }),
  publicGet('/agents/:id/', 'Cards', 'Redirects to the public card.', { type: 'text/plain', status: 307 }),
  ...OAUTH_ENDPOINTS,
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
