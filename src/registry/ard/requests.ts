import { z } from 'zod'
import { Refusal, refuse } from '../../errors.js'
import type { HttpRequest } from '../../http/route.js'
import { readJson } from '../../lib/json.js'
import { faultsOf, textOfIssues } from '../../protocol/input-faults.js'

const MAX_FILTERS = 16
const MAX_PAGE = 100

const FilterValue = z.string().min(1).max(512)
export const Filter = z
  .record(z.string().min(1).max(256), z.union([FilterValue, z.array(FilterValue).min(1).max(16)], 'must be a text, or 1 to 16 texts'))
  .refine((filter) => Object.keys(filter).length <= MAX_FILTERS, `must have at most ${MAX_FILTERS} members`)
export type Filter = z.infer<typeof Filter>

export const Context = z.union(
  [z.string().max(2048), z.record(z.string().max(256), z.string().max(2048))],
  'must be an address, or an object of prefixes and their addresses',
)
export type Context = z.infer<typeof Context>

const Text = z.string().max(512)
const Query = z.strictObject({ '@context': Context.optional(), text: Text.optional(), filter: Filter.optional() })
const pageToken = z.string().min(1).max(8192)

/** ARD 0.91 §5.3.2. `federation` makes no difference: the registry has no upstream registries. */
export const SearchRequest = z.strictObject({
  query: Query.extend({ text: Text.refine((text) => text.trim() !== '', 'must not be blank') }),
  federation: z.enum(['auto', 'referrals', 'none']).optional(),
  pageSize: z.int().min(1).max(MAX_PAGE).default(10),
  pageToken: pageToken.optional(),
})

/** ARD 0.91 §5.3.3. */
export const ExploreRequest = z.strictObject({
  query: Query.optional(),
  resultType: z.strictObject({
    facets: z
      .array(
        z.strictObject({
          field: z.string().min(1).max(256),
          limit: z.int().min(1).max(MAX_PAGE).default(20),
          minCount: z.int().min(1).default(1),
        }),
      )
      .min(1)
      .max(MAX_FILTERS),
  }),
})

/** Digits only: other forms of numbers, such as 1e1 and 0x10, are refused. The inner default is for the schema in openapi.json. */
const pageSize = (size: number) =>
  z
    .preprocess(
      (text) => (typeof text === 'string' && /^[0-9]+$/.test(text) ? Number(text) : text),
      z.int().min(1).max(MAX_PAGE).default(size),
    )
    .default(size)

/** ARD 0.91 §5.3.5: the parameters of a list. */
export const ListRequest = z.strictObject({
  filter: z.string().max(2048).optional(),
  orderBy: z.literal('updatedAt DESC', 'must be "updatedAt DESC", the only order').optional(),
  pageSize: pageSize(20),
  pageToken: pageToken.optional(),
})

/** A page of the catalog. */
export const ManifestRequest = z.strictObject({ pageSize: pageSize(MAX_PAGE), pageToken: pageToken.optional() })

/** Reads the JSON body of a request. */
export function bodyOf<T>(schema: z.ZodType<T>, { headers, body }: Pick<HttpRequest, 'headers' | 'body'>): T {
  const [mediaType = ''] = String(headers['content-type'] ?? '').split(';')
  if (mediaType.trim().toLowerCase() !== 'application/json') refuse('unsupported_media_type', 'send application/json')
  const json = readJson(body, { maxDepth: 8, maxValues: 1000 })
  return 'value' in json ? parsed(schema, json.value) : refuse('bad_input', `invalid JSON: ${json.fault}`)
}

/** Reads the query of a request. A repeated parameter is refused. */
export function queryOf<T>(schema: z.ZodType<T>, { query }: Pick<HttpRequest, 'query'>): T {
  const names = [...query.keys()]
  if (new Set(names).size < names.length) refuse('bad_input', 'a parameter is repeated')
  return parsed(schema, Object.fromEntries(query))
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const { issues } = result.error
  throw new Refusal('bad_input', textOfIssues(issues), { faults: faultsOf(issues) })
}
