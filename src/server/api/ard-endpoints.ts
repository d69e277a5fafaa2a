// Describes the endpoints of Agentic Resource Discovery for docs/API.md and schemas/openapi.json.
import { z } from 'zod'
import { ArdEntry } from '../../registry/ard/entry.js'
import { ExploreRequest, ListRequest, ManifestRequest, SearchRequest } from '../../registry/ard/requests.js'
import type { HttpEndpoint } from './http-endpoint.js'

const Facet = z.object({ buckets: z.array(z.object({ value: z.string(), count: z.int() })), otherCount: z.int() })
const Manifest = z.object({ specVersion: z.literal('1.0'), host: z.looseObject({ displayName: z.string() }), entries: z.array(ArdEntry) })
const CALLER = 'anyone; a root token with `discovery:read` (header `Authorization: DPoP …`) shows more'

const json = (schema: z.ZodType, type = 'application/json') => ({ type, schema })
const manifest = (path: string, source: string, type?: string): HttpEndpoint => ({
  method: 'GET',
  path,
  tag: 'ARD',
  summary:
    'The catalog of the registry: its own entry, then the newest public cards, up to `pageSize` (default 100). If there are more, the last entry is a nested catalog with the next ones. Has an ETag.',
  caller: 'anyone',
  source,
  parameters: ManifestRequest,
  response: json(Manifest, type),
  reasons: ['bad_input', 'bad_cursor'],
})

export const ARD_ENDPOINTS: readonly HttpEndpoint[] = [
  manifest('/.well-known/ard.json', 'ARD 0.91 §5.1'),
  manifest('/.well-known/ai-catalog.json', 'AI Catalog 1.0', 'application/ai-catalog+json'),
  {
    method: 'POST',
    path: '/search',
    tag: 'ARD',
    summary:
      'Search by text and by members of the entries. `score` is relevance, never trust. All modes of `federation` search this registry only.',
    caller: CALLER,
    source: 'ARD 0.91 §5.3.2',
    body: SearchRequest,
    isJson: true,
    response: json(
      z.object({
        results: z.array(ArdEntry.extend({ score: z.int().min(0).max(100), source: z.string() })),
        referrals: z.array(z.never()).optional(),
        pageToken: z.string().optional(),
      }),
    ),
    reasons: ['bad_input', 'bad_cursor', 'unsupported_media_type', 'invalid_token', 'insufficient_scope'],
  },
  {
    method: 'POST',
    path: '/explore',
    tag: 'ARD',
    summary: 'Count the entries that match, up to 1,000, by the values of a member: `type`, `publisher`, `tags`, `capabilities`.',
    caller: CALLER,
    source: 'ARD 0.91 §5.3.3',
    body: ExploreRequest,
    isJson: true,
    response: json(z.object({ resultType: z.literal('facets'), facets: z.record(z.string(), Facet) })),
    reasons: ['bad_input', 'unsupported_media_type', 'invalid_token', 'insufficient_scope'],
  },
  {
    method: 'GET',
    path: '/agents',
    tag: 'ARD',
    summary:
      "List entries, the newest publication first. A filter is `<field> = '<value>'` or `updatedAfter > '<date>'`, joined by `AND`. Has an ETag.",
    caller: 'anyone',
    source: 'ARD 0.91 §5.3.5',
    parameters: ListRequest,
    response: json(z.object({ items: z.array(ArdEntry), total: z.int().optional(), pageToken: z.string().optional() })),
    reasons: ['bad_input', 'bad_cursor'],
  },
  {
    method: 'GET',
    path: '/agents/:id',
    tag: 'ARD',
    summary:
      'The entry with this identifier (`urn:air:<publisher>:agents:<name>`, percent-encoded). Has an ETag. The address of an agent (its id in place of the identifier) redirects (308) to the same address with a slash.',
    caller: 'anyone',
    source: 'ARD 0.91 §5.3.4, ADR-0010',
    parameters: z.object({ id: z.string().max(512) }),
    response: json(ArdEntry),
    reasons: ['bad_input', 'not_found'],
  },
]
