// Maps the filters of ARD (§5.3.1) to a card search. A filter names a member of an entry by its path. Members that are the same in every
// entry decide at once: either they exclude nothing or no entry matches. The others become filters of the search.
import { refuse } from '../../errors.js'
import { pointerOf } from '../../lib/json-pointer.js'
import type { Facet } from '../../protocol/search.js'
import type { CardFilter, CardProperty } from '../../storage/storage.js'
import { NO_NAMESPACE } from '../cards/search-rows/search-rows.js'
import { ATTESTATION_TYPES, CARD_TYPE } from './entry.js'
import { hostOf } from './identifier.js'
import type { Context, Filter } from './requests.js'

/** The namespace of terms without a prefix, and the address of the context that says so (§4.1). */
const NAMESPACE = 'https://agenticresourcediscovery.org/ns#'
const BASE_CONTEXT = 'https://agenticresourcediscovery.org/context/v1'

/** The members that have the same values in every entry of this registry. */
const CONSTANTS: Readonly<Record<string, readonly string[]>> = {
  type: [CARD_TYPE],
  'trustManifest.attestations.type': Object.values(ATTESTATION_TYPES),
}

/** The members that differ, with the property that the search compares and, if its values are counted, the facet. */
const PROPERTIES: Readonly<Record<string, { readonly property: CardProperty; readonly facet?: Facet }>> = {
  tags: { property: 'tag', facet: 'tags' },
  capabilities: { property: 'skill', facet: 'skills' },
  publisher: { property: 'namespace', facet: 'namespaces' },
  'metadata.organisationId': { property: 'organisation' },
}

interface FilterSource {
  readonly issuer: string
  readonly context?: Context | undefined
  /** The place of the filter in the request, for faults. */
  readonly at: readonly string[]
}

export interface EntryFilters {
  readonly filters: readonly CardFilter[]
  /** The publishers that an entry may have. The search rows name the namespace at publication, whose proof may have ended since. */
  readonly publishers?: readonly string[]
}

/** The filters of a search for the entries that match; undefined if no entry can match. */
export function filtersOf(filter: Filter, { issuer, context, at }: FilterSource): EntryFilters | undefined {
  const filters: CardFilter[] = []
  let publishers: readonly string[] | undefined
  for (const [key, value] of Object.entries(filter)) {
    const values = typeof value === 'string' ? [value] : value
    const member = termOf(key, context, [...at, key])
    const constant = own(CONSTANTS, member)
    if (constant && !values.some((one) => constant.includes(one))) return undefined
    if (constant) continue
    const { property } = own(PROPERTIES, member) ?? unsupported([...at, key], `filter by ${namesOf(CONSTANTS, PROPERTIES)}`)
    if (property === 'namespace') publishers = values.map((one) => one.toLowerCase())
    const isByHost = property === 'namespace' && publishers?.includes(hostOf(issuer))
    filters.push({ property, anyOf: isByHost ? [...values, NO_NAMESPACE] : values })
  }
  return { filters, ...(publishers && { publishers }) }
}

/** How a member is counted: by a facet of the search, or by its values, which every entry has. */
export function countingOf(field: string, { context, at }: Omit<FilterSource, 'issuer'>): Facet | readonly string[] {
  const member = termOf(field, context, at)
  const facets = Object.fromEntries(Object.entries(PROPERTIES).filter(([, { facet }]) => facet !== undefined))
  return own(CONSTANTS, member) ?? own(facets, member)?.facet ?? unsupported(at, `count by ${namesOf(CONSTANTS, facets)}`)
}

const namesOf = (...tables: readonly object[]): string => tables.flatMap((table) => Object.keys(table)).join(', ')

/** The path with its core term as it is spelt without a prefix. Through a context, a key may also name a term of another namespace. */
function termOf(key: string, context: Context | undefined, at: readonly string[]): string {
  const [term = '', ...path] = key.split('.')
  const iri = iriOf(term, typeof context === 'object' ? context : {})
  return iri.startsWith(NAMESPACE)
    ? [iri.slice(NAMESPACE.length), ...path].join('.')
    : unsupported(at, 'is a term of another namespace; only terms of the ARD namespace are indexed')
}

/** JSON-LD expansion of a term: a whole term of the context, or a prefix and a name. */
function iriOf(term: string, context: Readonly<Record<string, string>>): string {
  const [prefix = '', ...name] = term.split(':')
  const namespace = own(context, prefix)
  return name.length === 0 ? (namespace ?? NAMESPACE + term) : (namespace ?? `${prefix}:`) + name.join(':')
}

/** A context at another address is not loaded. */
export function requireKnownContext(context: Context | undefined): void {
  if (typeof context === 'string' && context !== BASE_CONTEXT)
    unsupported(['query', '@context'], `must be ${BASE_CONTEXT}, or an object of prefixes`)
}

const own = <T>(record: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined

function unsupported(path: readonly string[], hint: string): never {
  const pointer = pointerOf(path)
  return refuse('bad_input', `${pointer}: ${hint}`, { faults: [{ pointer, hint }] })
}
