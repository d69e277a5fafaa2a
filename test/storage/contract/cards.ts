import { expect, test } from 'vitest'
import { OrgId } from '../../../src/protocol/ids.js'
import {
  type CardHits,
  type CardQuery,
  type CardRow,
  type CardSummary,
  type CardTier,
  indexingCard,
  type Storage,
  unindexingCard,
} from '../../../src/storage/storage.js'
import type { OpenStore } from '../contract.js'

export const aSummary = (name: string): CardSummary => ({
  orgId: OrgId.parse(`org_${'A'.repeat(22)}`),
  scopes: [],
  verdict: { state: 'unsigned', checkedAt: 1, uncovered: [], hints: [] },
  versions: [],
  text: { name, description: '', version: '1' },
  skills: [],
  tokens: { name: `\n${name}\n`, tags: '\n\n', skills: '\n\n', description: '\n\n' },
})

export const aRow = (cardId: string, row: Partial<CardRow> = {}): CardRow => ({
  cardId,
  tier: 'public',
  orgId: 'org',
  name: cardId,
  description: '',
  skillText: '',
  skills: [],
  tags: [],
  modes: [],
  updatedAt: 1,
  summary: aSummary(cardId),
  ...row,
})

const search = (storage: Storage, words: readonly string[], query: Partial<CardQuery> = {}): Promise<CardHits> =>
  storage.cards.search({ words, tags: [], tier: 'public', limit: 50, ...query })

const cardsOf = (hits: CardHits): string[] => hits.hits.map((hit) => hit.cardId)

async function fill(storage: Storage, rows: readonly CardRow[]): Promise<void> {
  expect(await storage.commit(rows.map(indexingCard))).toEqual({ ok: true })
}

export function cardSearchContract(open: OpenStore): void {
  test('the summary of a row is returned unchanged and for its tier only, until the row is replaced or removed', async () => {
    await using store = await open()
    const odd = aSummary('\0 \ud800 “$where”')
    await fill(store.storage, [aRow('a'), aRow('b', { summary: odd }), aRow('b', { tier: 'introduced' })])
    const summariesOf = async (tier: CardTier, ...ids: string[]) => Object.fromEntries(await store.storage.cards.summaries(tier, ids))
    expect(await summariesOf('public', 'a', 'b', 'unknown')).toEqual({ a: aSummary('a'), b: odd })
    expect(await summariesOf('introduced', 'a', 'b')).toEqual({ b: aSummary('b') })
    await fill(store.storage, [aRow('a', { summary: odd })])
    await store.storage.commit([unindexingCard('b', 'public')])
    expect(await summariesOf('public', 'a', 'b')).toEqual({ a: odd })
  })

  test('words of any script are split and normalised alike: simple case folding, and diacritics of Latin letters removed', async () => {
    await using store = await open()
    const names = {
      a: 'мой ёлка',
      b: 'がく',
      c: 'Ελλάδα',
      d: 'ΟΔΟΣ',
      e: '\u017ftrange',
      f: '\u00b5services',
      g: 'Résumé A\u030angström',
      h: 'हिन्दी',
    }
    await fill(
      store.storage,
      Object.entries(names).map(([id, name]) => aRow(id, { name })),
    )
    const queries = [
      'мои',
      'МОЙ',
      'елка',
      'かく',
      'がく',
      'ελλαδα',
      'ΕΛΛΆΔΑ',
      'οδοσ',
      'οδος',
      'strange',
      '\u03bcservices',
      'resume',
      'ÅNGSTRÖM',
      'न',
      'हिन्दी',
    ]
    const found = await Promise.all(queries.map(async (word) => [word, cardsOf(await search(store.storage, [word])).join()]))
    expect(Object.fromEntries(found)).toEqual({
      мои: '',
      МОЙ: 'a',
      елка: '',
      かく: '',
      がく: 'b',
      ελλαδα: '',
      ΕΛΛΆΔΑ: 'c',
      οδοσ: 'd',
      οδος: 'd',
      strange: 'e',
      '\u03bcservices': 'f',
      resume: 'g',
      ÅNGSTRÖM: 'g',
      न: 'h',
      हिन्दी: 'h',
    })
  })

  test('a hit contains the summary of its row, in searches with and without words', async () => {
    await using store = await open()
    const odd = aSummary('\0 \ud800 “$where”')
    await fill(store.storage, [aRow('a', { name: 'Ocelot', summary: odd }), aRow('a', { tier: 'introduced', name: 'Ocelot' })])
    for (const words of [['ocelot'], []]) {
      expect((await search(store.storage, words)).hits.map(({ summary }) => summary)).toEqual([odd])
      expect((await search(store.storage, words, { tier: 'introduced', cardIds: ['a'] })).hits[0]?.summary).toEqual(aSummary('a'))
    }
  })

  test('all words must match in any field, regardless of case and accents, and better matches come first', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { name: 'Invoice reader', description: 'Reads scanned papers', skillText: 'OCR for invoices' }),
      aRow('b', {
        name: 'Planner',
        description: 'Plans travel and reads an invoice when there is one among many other things that it reads',
      }),
      aRow('c', { name: 'Résumé', tags: ['curriculum'] }),
    ])
    expect(cardsOf(await search(store.storage, ['invoice', 'READS']))).toEqual(['a', 'b'])
    expect(cardsOf(await search(store.storage, ['invoice', 'travel']))).toEqual(['b'])
    expect(cardsOf(await search(store.storage, ['resume', 'Curriculum']))).toEqual(['c'])
    expect(await search(store.storage, ['invoice', 'nowhere'])).toEqual({ hits: [], total: 0 })
  })

  test.each<CardTier>(['authenticated', 'introduced'])('rows of the %s tier do not change a byte of public results', async (tier) => {
    await using store = await open()
    const rows = ['a', 'b', 'c', 'd'].map((id, i) =>
      aRow(id, {
        description: `scan ${'filler '.repeat(i * 3)}`,
        skillText: i % 2 ? 'scan invoices' : 'other',
        tags: ['ocr'],
        skills: ['read'],
      }),
    )
    await fill(store.storage, rows)
    const queries: readonly (readonly [readonly string[], Partial<CardQuery>])[] = [
      [['scan'], {}],
      [['scan', 'invoices'], { limit: 1 }],
      [[], {}],
      [['scan'], { tags: ['ocr'], skill: 'read' }],
      [['secret'], {}],
    ]
    const results = () => Promise.all(queries.map(([words, query]) => search(store.storage, words, query)))
    const before = JSON.stringify(await results())
    const otherTier = Array.from({ length: 40 }, (_, i) =>
      aRow(i < 4 ? (rows[i]?.cardId ?? '') : `other${i}`, {
        tier,
        name: 'scan scan secret',
        description: 'scan',
        tags: ['ocr'],
        skills: ['read'],
      }),
    )
    await fill(store.storage, otherTier)
    expect(JSON.stringify(await results())).toBe(before)
    expect((await search(store.storage, ['secret'], { tier })).total).toBe(40)
  })

  test('a search restricted to certain cards reveals nothing about others, neither by order, score nor total', async () => {
    await using store = await open()
    const mine = ['a', 'b', 'c'].map((id, i) =>
      aRow(id, { tier: 'introduced', name: `agent ${'ocr '.repeat(i)}`, description: 'ocr reads' }),
    )
    await fill(store.storage, mine)
    const searchMine = () =>
      Promise.all(
        [['ocr'], ['ocr', 'reads'], []].map((words) =>
          search(store.storage, words, { tier: 'introduced', cardIds: ['a', 'b', 'c', 'unknown'] }),
        ),
      )
    const before = await searchMine()
    expect(before.map((hits) => hits.total)).toEqual([3, 3, 3])
    expect(cardsOf(before[0] ?? { hits: [], total: 0 })).toEqual(['c', 'b', 'a'])
    await fill(
      store.storage,
      Array.from({ length: 40 }, (_, i) => aRow(`other${i}`, { tier: 'introduced', name: 'ocr', description: 'ocr reads reads' })),
    )
    expect(JSON.stringify(await searchMine())).toBe(JSON.stringify(before))
    expect(await search(store.storage, ['ocr'], { tier: 'introduced', cardIds: [] })).toEqual({ hits: [], total: 0 })
  })

  test('the skill and all tags must match as a whole and case-sensitively', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { name: 'x', skills: ['read', 'write'], tags: ['ocr', 'pdf'] }),
      aRow('b', { name: 'x', skills: ['read-all'], tags: ['ocr'] }),
      aRow('c', { name: 'x', skills: ['ocr'], tags: ['read'] }),
    ])
    for (const words of [['x'], []]) {
      expect(cardsOf(await search(store.storage, words, { skill: 'read' }))).toEqual(['a'])
      expect(cardsOf(await search(store.storage, words, { tags: ['ocr'] })).sort()).toEqual(['a', 'b'])
      expect(cardsOf(await search(store.storage, words, { tags: ['ocr', 'pdf'] }))).toEqual(['a'])
      expect(cardsOf(await search(store.storage, words, { tags: ['OCR'] }))).toEqual([])
      expect(await search(store.storage, words, { tags: ['ocr'], skill: 'write', cardIds: ['b', 'c'] })).toEqual({ hits: [], total: 0 })
    }
  })

  test('a card that does not follow A2A is found only on request, with and without words, terms and card ids', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { name: 'x', tags: ['ocr'] }),
      aRow('b', { name: 'x', tags: ['ocr'], isNonconformant: true }),
      aRow('c', { name: 'x', tags: ['nonconformant'] }),
    ])
    for (const words of [['x'], []]) {
      expect(await search(store.storage, words)).toMatchObject({ total: 2 })
      expect(cardsOf(await search(store.storage, words)).sort()).toEqual(['a', 'c'])
      expect(cardsOf(await search(store.storage, words, { tags: ['ocr'] }))).toEqual(['a'])
      expect(cardsOf(await search(store.storage, words, { cardIds: ['b', 'c'] }))).toEqual(['c'])
      const all = await search(store.storage, words, { includeNonconformant: true })
      expect([cardsOf(all).sort(), all.total]).toEqual([['a', 'b', 'c'], 3])
      expect(cardsOf(await search(store.storage, words, { includeNonconformant: true, tags: ['ocr'] })).sort()).toEqual(['a', 'b'])
    }
    await fill(store.storage, [aRow('b', { name: 'x', tags: ['ocr'] })])
    expect(cardsOf(await search(store.storage, ['x'], { tags: ['ocr'] })).sort()).toEqual(['a', 'b'])
  })

  const literal: readonly [string, readonly string[], readonly string[]][] = [
    ['a quotation mark', ['"'], []],
    ['an open quotation', ['"alpha'], ['a']],
    ['quotation marks inside', ['alpha"beta'], ['a']],
    ['a star', ['*'], []],
    ['a star after a prefix', ['alph*'], []],
    ['a caret', ['^alpha'], ['a']],
    ['a minus', ['-alpha'], ['a']],
    ['a lone minus among words', ['alpha', '-'], ['a']],
    ['a column', ['name:alpha'], []],
    ['a column filter', ['{name}', ':', 'alpha'], []],
    ['NEAR', ['NEAR(alpha', 'gamma)'], []],
    ['OR', ['alpha', 'OR', 'delta'], []],
    ['AND as a word', ['and'], ['b']],
    ['NOT', ['delta', 'NOT', 'alpha'], []],
    ['brackets', ['(alpha)'], ['a']],
    ['SQL', ["alpha'; DROP TABLE card_public;--"], []],
    ['a NUL', ['alpha\0'], ['a']],
    ['a NUL between', ['alpha\0delta'], []],
    ['a lone surrogate', ['\ud800'], []],
    ['nothing but space', [' '], []],
    ['other scripts', ['日本語'], ['c']],
  ]
  test.each(literal)('%s is taken literally', async (_title, words, found) => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { description: 'alpha beta gamma' }),
      aRow('b', { description: 'delta and near' }),
      aRow('c', { description: '日本語' }),
    ])
    for (const cardIds of [undefined, ['a', 'b', 'c']]) {
      const hits = await search(store.storage, words, cardIds === undefined ? {} : { cardIds })
      expect([cardsOf(hits), hits.total]).toEqual([found, found.length])
    }
  })

  test.each([
    ['with words', ['ocr']],
    ['without words', []],
  ])('pages %s follow each other by score and card, and the total stays', async (_title, words) => {
    await using store = await open()
    await fill(
      store.storage,
      Array.from({ length: 23 }, (_, i) => aRow(`c${i}`, { name: 'ocr', description: 'filler '.repeat(i % 3), updatedAt: i % 4 })),
    )
    const whole = await search(store.storage, words)
    expect([whole.hits.length, whole.total]).toEqual([23, 23])
    const sorted = [...whole.hits].sort((a, b) => a.score - b.score || (a.cardId < b.cardId ? -1 : 1))
    expect(whole.hits).toEqual(sorted)
    const paged: (typeof whole.hits)[number][] = []
    for (let page = await search(store.storage, words, { limit: 5 }); page.hits.length > 0; ) {
      expect(page.total).toBe(23)
      paged.push(...page.hits)
      const last = paged.at(-1)
      if (last === undefined) break
      page = await search(store.storage, words, { limit: 5, after: JSON.parse(JSON.stringify([last.score, last.cardId])) })
    }
    expect(paged).toEqual(whole.hits)
  })

  test('indexing a card again replaces only its row of that tier, and unindexing removes the row completely', async () => {
    await using store = await open()
    await fill(store.storage, [aRow('z', { name: 'other ocr' })])
    const before = JSON.stringify(await search(store.storage, ['ocr']))
    await fill(store.storage, [aRow('a', { name: 'ocr', tags: ['t'] }), aRow('a', { name: 'ocr', tier: 'introduced' })])
    await fill(store.storage, [aRow('a', { name: 'planner ocr', tags: ['u'] })])
    expect(cardsOf(await search(store.storage, ['planner']))).toEqual(['a'])
    expect((await search(store.storage, [], { tags: ['t'] })).total).toBe(0)
    expect((await search(store.storage, ['ocr'])).total).toBe(2)
    expect(await store.storage.commit([unindexingCard('a', 'public'), unindexingCard('unknown', 'public')])).toEqual({ ok: true })
    expect(JSON.stringify(await search(store.storage, ['ocr']))).toBe(before)
    expect((await search(store.storage, [], { tags: ['u'] })).total).toBe(0)
    expect(cardsOf(await search(store.storage, ['ocr'], { tier: 'introduced' }))).toEqual(['a'])
  })
}
