// The criteria of a search, as the address of the page has them.
import type { Facet, SearchOptions } from '../../../src/protocol/search.js'
import type { Input } from '../../api/procedures.js'

export type Criteria = Pick<
  SearchOptions,
  | 'text'
  | 'skill'
  | 'tags'
  | 'organisation'
  | 'namespace'
  | 'verdict'
  | 'modes'
  | 'binding'
  | 'capability'
  | 'extension'
  | 'protocolVersion'
  | 'sort'
  | 'includeNonconformant'
>

const ONE = [
  'text',
  'skill',
  'organisation',
  'namespace',
  'verdict',
  'binding',
  'capability',
  'extension',
  'protocolVersion',
  'sort',
] as const
const MANY = ['tags', 'modes'] as const

/** The filter of a facet, and its title. */
export const FACETS = {
  verdicts: { filter: 'verdict', title: 'Verdict' },
  tags: { filter: 'tags', title: 'Tag' },
  skills: { filter: 'skill', title: 'Skill' },
  organisations: { filter: 'organisation', title: 'Organisation' },
  namespaces: { filter: 'namespace', title: 'Proved DNS name' },
  bindings: { filter: 'binding', title: 'Protocol binding' },
  protocolVersions: { filter: 'protocolVersion', title: 'Protocol version' },
  modes: { filter: 'modes', title: 'Media type' },
  capabilities: { filter: 'capability', title: 'Capability' },
  extensions: { filter: 'extension', title: 'Extension' },
} as const satisfies Readonly<Record<Facet, { readonly filter: keyof Criteria; readonly title: string }>>

export const FACET_NAMES = Object.keys(FACETS) as Facet[] // the keys of the table
type Filter = (typeof FACETS)[Facet]['filter']

/** Reads the query string of an address. Values are checked by the registry. */
export function criteriaOf(query: URLSearchParams): Criteria {
  const one = ONE.flatMap((name) => (query.get(name) ? [[name, query.get(name)]] : []))
  const many = MANY.flatMap((name) => (query.has(name) ? [[name, query.getAll(name)]] : []))
  return { ...Object.fromEntries([...one, ...many]), ...(query.has('includeNonconformant') && { includeNonconformant: true }) }
}

/** The address of the page with these criteria. */
export function addressOf(criteria: Criteria): string {
  const query = new URLSearchParams()
  for (const name of ONE) if (criteria[name]) query.set(name, criteria[name])
  for (const name of MANY) for (const value of criteria[name] ?? []) query.append(name, value)
  if (criteria.includeNonconformant) query.set('includeNonconformant', 'true')
  const text = query.toString()
  return `/console/find${text === '' ? '' : `?${text}`}`
}

/** The criteria with one filter more. A filter that takes one value gets this one. */
export const withFilter = (criteria: Criteria, filter: Filter, value: string): Criteria =>
  filter === 'tags' || filter === 'modes'
    ? { ...criteria, [filter]: [...(criteria[filter] ?? []).filter((other) => other !== value), value] }
    : { ...criteria, [filter]: value }

/** The criteria without one value of a filter. */
export function withoutFilter(criteria: Criteria, filter: Filter, value: string): Criteria {
  const { [filter]: found, ...rest } = criteria
  const left = Array.isArray(found) ? found.filter((other) => other !== value) : []
  return left.length === 0 ? rest : { ...rest, [filter]: left }
}

/** The filters in force, one for each value. */
export const filtersOf = (criteria: Criteria): readonly { readonly title: string; readonly filter: Filter; readonly value: string }[] =>
  Object.values(FACETS).flatMap(({ filter, title }) =>
    [criteria[filter] ?? []].flat().map((value) => ({ title, filter, value: String(value) })),
  )

export const searchInputOf = (criteria: Criteria): Input<'discovery.search'> =>
  ({ ...criteria, facets: FACET_NAMES, limit: 50 }) as Input<'discovery.search'> // the registry checks what the address says
