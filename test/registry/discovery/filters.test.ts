import { expect, test } from 'vitest'
import { SEARCH_OPTIONS } from '../../../src/protocol/search.js'
import { filtersOf, SearchInput } from '../../../src/registry/discovery/filters.js'

const many = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`)

test.each([
  ['an unknown member', { colour: 'red' }, []],
  ['an unknown facet', { facets: ['tags', 'colours'] }, ['facets', 1]],
  ['more than 16 filters', { tags: many(10), modes: many(7) }, []],
  ['more than 16 tags', { tags: many(17) }, ['tags']],
  ['an unknown verdict', { verdict: 'excellent' }, ['verdict']],
  ['an unknown order', { sort: 'price' }, ['sort']],
  ['an empty tag', { tags: [''] }, ['tags', 0]],
  ['something that is not an organisation', { organisation: 'acme' }, ['organisation']],
  ['a time that is not a number', { publishedSince: 'today' }, ['publishedSince']],
])('%s is refused, and the fault points at it', (_title, input, path) => {
  expect(SearchInput.safeParse(input).error?.issues[0]?.path).toEqual(path)
})

test('16 filters are accepted, and each tag and mode must match', () => {
  const input = SearchInput.parse({ tags: many(14), skill: 'read', binding: 'JSONRPC' })
  expect(filtersOf(input)).toHaveLength(16)
  expect(filtersOf(SearchInput.parse({ tags: ['a', 'b'], verdict: 'verified' }))).toEqual([
    { property: 'tag', anyOf: ['a'] },
    { property: 'tag', anyOf: ['b'] },
    { property: 'verdict', anyOf: ['verified'] },
  ])
})

test('cards that were signed when they were published may be stale or revoked now', () => {
  for (const verdict of ['stale', 'revoked'] as const)
    expect(filtersOf(SearchInput.parse({ verdict }))).toEqual([{ property: 'verdict', anyOf: [verdict, 'signed', 'verified'] }])
})

test('the options of the client are those of the procedure', () => {
  expect(Object.keys(SEARCH_OPTIONS).sort()).toEqual(Object.keys(SearchInput.shape).sort())
})
