// Describes the endpoints of client registration for docs/API.md and schemas/openapi.json.
import { z } from 'zod'
import { ClientMetadata } from '../../identity/clients/metadata/metadata.js'
import { AgentId, ExternalClientId } from '../../protocol/ids.js'
import type { HttpEndpoint } from './http-endpoint.js'

const Registered = ClientMetadata.extend({
  client_id: z.union([AgentId, ExternalClientId]),
  client_id_issued_at: z.int(),
  registration_client_uri: z.string(),
  registration_access_token: z.string(),
})
const CLIENT = {
  path: '/oauth/register/:clientId',
  tag: 'OAuth',
  caller: 'the client, with its registration access token (header `Authorization: Bearer …`)',
  parameters: z.object({ clientId: z.union([AgentId, ExternalClientId]) }),
} as const
const response = { type: 'application/json', schema: Registered } as const
const METADATA_REASONS = ['invalid_client_metadata', 'invalid_redirect_uri', 'invalid_software_statement'] as const

/** These endpoints exist unless the setting `registration` is `closed`. */
export const REGISTRATION_ENDPOINTS: readonly HttpEndpoint[] = [
  {
    method: 'POST',
    path: '/oauth/register',
    tag: 'OAuth',
    summary:
      'Register a client: with a grant type of its own as an agent of the organisation that issued the initial access token, otherwise as an external client. Needs the setting `registration`.',
    caller: 'software with an initial access token (header `Authorization: Bearer …`); in mode `open` anyone',
    source: 'RFC 7591 §3',
    body: ClientMetadata.partial(),
    isJson: true,
    response: { ...response, status: 201 },
    reasons: ['invalid_token', ...METADATA_REASONS, 'conflict', 'rate_limited'],
  },
  {
    ...CLIENT,
    method: 'GET',
    summary: 'Show the metadata of a client that registered itself.',
    source: 'RFC 7592 §2.1',
    response,
    reasons: ['invalid_token'],
  },
  {
    ...CLIENT,
    method: 'PUT',
    summary:
      'Replace the metadata as a whole, and the registration access token. The client gets no more rights than it had; keys that are no longer listed are revoked.',
    source: 'RFC 7592 §2.2',
    body: ClientMetadata.partial().extend({ client_id: z.union([AgentId, ExternalClientId]) }),
    isJson: true,
    response,
    reasons: ['invalid_token', ...METADATA_REASONS, 'conflict', 'rate_limited'],
  },
  {
    ...CLIENT,
    method: 'DELETE',
    summary: 'Revoke the client with everything that depends on it.',
    source: 'RFC 7592 §2.3',
    response: { type: 'text/plain', status: 204 },
    reasons: ['invalid_token'],
  },
]
