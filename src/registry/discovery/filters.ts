// The filters of a search, as callers write them.
import { z } from 'zod'
import { VERDICT_STATES } from '../../protocol/cards/card-view.js'
import { OrgId } from '../../protocol/ids.js'
import type { Facet } from '../../protocol/search.js'
import type { CardFilter, CardProperty } from '../../storage/storage.js'

const value = z.string().min(1).max(256)
/** Maximum number of values in all filters of a search together. */
const MAX_FILTERS = 16

/** The facets by the name that they have in a request, and the property that they count. */
export const FACETS = {
  skills: 'skill',
  tags: 'tag',
  organisations: 'organisation',
  namespaces: 'namespace',
  verdicts: 'verdict',
  modes: 'mode',
  bindings: 'binding',
  capabilities: 'capability',
  extensions: 'extension',
  protocolVersions: 'protocolVersion',
} as const satisfies Record<Facet, CardProperty>
const FACET_NAMES = Object.keys(FACETS) as [Facet, ...Facet[]] // the keys of the table

export const SearchInput = z
  .strictObject({
    text: z.string().max(512).optional(),
    skill: value.optional(),
    tags: z.array(value).max(MAX_FILTERS).optional(),
    organisation: OrgId.optional(),
    namespace: value.optional(),
    verdict: z.enum(VERDICT_STATES).optional(),
    modes: z.array(value).max(MAX_FILTERS).optional(),
    binding: value.optional(),
    capability: value.optional(),
    extension: z.string().min(1).max(2048).optional(),
    protocolVersion: value.optional(),
    publishedSince: z.int().min(0).optional(),
    includeNonconformant: z.boolean().optional(),
    facets: z.array(z.enum(FACET_NAMES)).max(FACET_NAMES.length).optional(),
    sort: z.enum(['relevance', 'newest']).optional(),
    limit: z.int().min(1).max(100).default(20),
    cursor: z.string().min(1).max(8192).optional(),
  })
  .superRefine((input, context) => {
    const count = filtersOf(input).length
    if (count > MAX_FILTERS)
      context.addIssue({
        code: 'custom',
        path: [],
        message: `has ${count} filters: at most ${MAX_FILTERS}, each tag and mode counts as one`,
      })
  })
export type SearchInput = z.infer<typeof SearchInput>

type FilterInput = Pick<
  SearchInput,
  'skill' | 'tags' | 'organisation' | 'namespace' | 'verdict' | 'modes' | 'binding' | 'capability' | 'extension' | 'protocolVersion'
>

/** All filters must match. */
export function filtersOf(input: FilterInput): readonly CardFilter[] {
  const one = (property: CardProperty, wanted: string | undefined): CardFilter[] =>
    wanted === undefined ? [] : [{ property, anyOf: [wanted] }]
  const each = (property: CardProperty, wanted: readonly string[] = []): CardFilter[] => wanted.map((text) => ({ property, anyOf: [text] }))
  return [
    ...one('skill', input.skill),
    ...each('tag', input.tags),
    ...one('organisation', input.organisation),
    ...one('namespace', input.namespace),
    ...(input.verdict === undefined ? [] : [{ property: 'verdict' as const, anyOf: publishedVerdicts(input.verdict) }]),
    ...each('mode', input.modes),
    ...one('binding', input.binding),
    ...one('capability', input.capability),
    ...one('extension', input.extension),
    ...one('protocolVersion', input.protocolVersion),
  ]
}

type VerdictState = (typeof VERDICT_STATES)[number]

/** The verdicts at publication that a card may have had whose verdict now is this one. */
const publishedVerdicts = (now: VerdictState): readonly VerdictState[] =>
  now === 'stale' || now === 'revoked' || now === 'signed' ? [now, 'signed', 'verified'] : [now]
