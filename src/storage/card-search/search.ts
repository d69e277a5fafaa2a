// Card search over the index of any store.
//
// A search with a text makes a plan, reads at most MAX_CANDIDATES rows that have one of its words, rare words first, and scores them by the plan. So
// the cost is bounded, however frequent a word is. The plan (weights, terms, and the position at which the lists were cut off) travels in the cursor.
// Whether a row is a candidate and what it scores then depends on the row alone: pages neither lose nor repeat a card while others are published.
//
// Rows of cards that the caller is introduced to are read from the tier `introduced`, and scored by the statistics of the caller's own tier.

import { conceptsOf, termsInstead } from '../../lib/words/terms.js'
import type { CardIndex, EntryRow, NewestRange, Scope } from './card-index.js'
import { listOfName, listOfProperty } from './entry.js'
import { listsRead, planOf } from './plan.js'
import {
  CARD_PROPERTIES,
  type CardCursor,
  type CardHit,
  type CardHits,
  type CardProperty,
  type CardQuery,
  type CardTier,
  type Facets,
  type Plan,
} from './port.js'
import { score, whyOf } from './score.js'

/** Totals are exact up to this number. */
const MAX_CANDIDATES = 1000
/** Scores are compared as whole numbers, so that they are the same in a cursor. */
const RANK_UNIT = 1e6

interface Ranked {
  readonly row: EntryRow
  readonly tier: CardTier
  readonly rank: number
  readonly score: number
}

const NOTHING: CardHits = { hits: [], total: 0, isTotalExact: true, facets: {} }

export async function search(index: CardIndex, query: CardQuery): Promise<CardHits> {
  if (query.text === undefined) return browse(index, query)
  const name = listOfName(query.text)
  const plan = query.after?.plan ?? (await planOf(index, scopeOf(query), query.text))
  if (plan === undefined) return NOTHING
  const { ranked, planned, isComplete } = await candidates(index, query, { plan, name })
  const after = query.after?.after
  const rest = after === undefined ? ranked : ranked.filter((one) => isAfter(one, after))
  return {
    ...(await pageOf(index, rest, query.limit, planned)),
    total: ranked.length,
    isTotalExact: isComplete,
    facets: facetsOf(query.facets, ranked),
  }
}

async function candidates(index: CardIndex, query: CardQuery, { plan, name }: { readonly plan: Plan; readonly name: string }) {
  const { tier, introducedTo = [] } = query
  const scope = scopeOf(query)
  const range = { limit: MAX_CANDIDATES, ...(plan.cut !== undefined && { cut: plan.cut }) }
  const lists = listsRead(plan, name, scope.filters)
  const [own, introduced] = await Promise.all([
    index.rowsOfLists(scope, lists, range),
    introducedTo.length === 0 ? [] : index.rowsOfCards({ ...scope, tier: 'introduced', except: [] }, introducedTo),
  ])
  const ownRows = 'filter' in plan.reads ? await withAllTerms(index, tier, own.rows) : own.rows
  // Without a cut, all rows of all lists are candidates, also of the pages that follow
  const cut = own.cut ?? { list: lists.length, position: 0 }
  const scored = (rows: readonly EntryRow[], of: CardTier) => rows.map((row) => rankedOf(row, of, score(plan, name, row), query))
  const ranked = [...scored(ownRows, tier), ...scored(introduced, 'introduced')].filter((one) => one.score > 0).sort(byRank)
  return { ranked, planned: { ...plan, cut }, isComplete: cut.list === lists.length }
}

async function withAllTerms(index: CardIndex, tier: CardTier, rows: readonly EntryRow[]): Promise<readonly EntryRow[]> {
  const details = await index.details(
    tier,
    rows.map(({ cardId }) => cardId),
  )
  return rows.map((row) => ({ ...row, ...(details.get(row.cardId) ?? { terms: '' }) }))
}

/** All rows, the newest first. */
async function browse(index: CardIndex, query: CardQuery): Promise<CardHits> {
  const { tier, introducedTo = [], after, limit } = query
  const scope = scopeOf(query)
  const rows = introducedTo.length === 0 ? [] : await index.rowsOfCards({ ...scope, tier: 'introduced', except: [] }, introducedTo)
  const introduced = rows.map((row) => rankedOf(row, 'introduced', 0, query))
  const read = async (range: NewestRange) =>
    [...introduced, ...(await index.newestRows(scope, range)).map((row) => rankedOf(row, tier, 0, query))].sort(byRank)
  const first = await read({ limit: MAX_CANDIDATES + 1 })
  const page =
    after === undefined ? first : (await read({ limit: limit + 1, after: after.after })).filter((one) => isAfter(one, after.after))
  return {
    ...(await pageOf(index, page, limit, undefined)),
    total: Math.min(first.length, MAX_CANDIDATES),
    isTotalExact: first.length <= MAX_CANDIDATES,
    facets: facetsOf(query.facets, first.slice(0, MAX_CANDIDATES)),
  }
}

const scopeOf = ({ tier, introducedTo = [], filters, publishedSince, includeNonconformant = false, facets = [] }: CardQuery): Scope => ({
  tier,
  except: introducedTo,
  filters: filters.map(({ property, anyOf }) => anyOf.map((value) => listOfProperty(property, value))),
  ...(publishedSince !== undefined && { publishedSince }),
  includeNonconformant,
  withProperties: facets.length > 0,
})

function rankedOf(row: EntryRow, tier: CardTier, points: number, { text, sort }: CardQuery): Ranked {
  const isByScore = text !== undefined && sort !== 'newest'
  return { row, tier, score: points, rank: isByScore ? Math.round(points * RANK_UNIT) : row.updatedAt }
}

const byRank = (a: Ranked, b: Ranked): number => b.rank - a.rank || (a.row.cardId < b.row.cardId ? -1 : 1)
const isAfter = ({ rank, row }: Ranked, [after, cardId]: CardCursor['after']): boolean =>
  rank < after || (rank === after && row.cardId > cardId)

/** The first `limit` rows as hits. A card that is removed meanwhile leaves the page shorter, but does not end it. */
async function pageOf(
  index: CardIndex,
  rows: readonly Ranked[],
  limit: number,
  plan: Plan | undefined,
): Promise<Pick<CardHits, 'hits' | 'next'>> {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    hits: await hitsOf(index, page, plan),
    ...(last && rows.length > limit && { next: { after: [last.rank, last.row.cardId], ...(plan && { plan }) } }),
  }
}

async function hitsOf(index: CardIndex, page: readonly Ranked[], plan: Plan | undefined): Promise<readonly CardHit[]> {
  const tiers = [...new Set(page.map(({ tier }) => tier))]
  const details = new Map(
    await Promise.all(
      tiers.map(async (tier) => {
        const ids = page.filter((one) => one.tier === tier).map(({ row }) => row.cardId)
        return [tier, await index.details(tier, ids)] as const
      }),
    ),
  )
  return page.flatMap(({ row, tier, score: points }): CardHit[] => {
    const found = details.get(tier)?.get(row.cardId)
    if (found === undefined) return []
    const why = plan ? whyOf(plan, found.terms) : { found: [], missing: [] }
    return [{ cardId: row.cardId, tier, score: Math.round(points * 100), why, summary: found.summary }]
  })
}

function facetsOf(requested: readonly CardProperty[] = [], rows: readonly Ranked[]): Facets {
  const counts = new Map<string, number>()
  if (requested.length > 0)
    for (const { row } of rows) for (const line of row.properties.split('\n')) counts.set(line, (counts.get(line) ?? 0) + 1)
  const of = (property: CardProperty) =>
    [...counts]
      .flatMap(([line, count]) => (line.startsWith(`${property}=`) ? [{ value: line.slice(property.length + 1), count }] : []))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
  return Object.fromEntries(CARD_PROPERTIES.filter((property) => requested.includes(property)).map((property) => [property, of(property)]))
}

const MAX_WORDS_READ = 200

/** Words of cards of the tier that begin with the text, the most frequent first. A text that is not one word has none. */
export async function suggest(index: CardIndex, tier: CardTier, text: string, limit: number): Promise<readonly string[]> {
  const [concept, ...others] = conceptsOf(text, 2)
  if (concept === undefined || others.length > 0) return []
  const words = await index.wordsLike(tier, { startsWith: concept.word }, MAX_WORDS_READ)
  const termsOf = new Map(words.map((word) => [word, termsInstead(word, 1).map(({ term }) => term)]))
  const sizes = await index.sizes(tier, [...termsOf.values()].flat())
  return words
    .map((word) => ({ word, rows: Math.max(...(termsOf.get(word) ?? []).map((term) => sizes.get(term) ?? 0)) }))
    .filter(({ rows }) => rows > 0)
    .sort((a, b) => b.rows - a.rows || (a.word < b.word ? -1 : 1))
    .slice(0, limit)
    .map(({ word }) => word)
}
