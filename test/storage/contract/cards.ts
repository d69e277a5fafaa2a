import { beforeAll, describe, expect, test } from 'vitest'
import { OrgId } from '../../../src/protocol/ids.js'
import {
  type CardHits,
  type CardProperty,
  type CardQuery,
  type CardRow,
  type CardSummary,
  type CardTier,
  indexingCard,
  type Storage,
} from '../../../src/storage/storage.js'
import type { OpenStore } from '../contract.js'
import { sharedStore } from './things.js'

const aSummary = (name: string): CardSummary => ({
  orgId: OrgId.parse(`org_${'A'.repeat(22)}`),
  scopes: [],
  verdict: { state: 'unsigned', checkedAt: 1, uncovered: [], hints: [] },
  versions: [],
  text: { name, description: '', version: '1' },
  skills: [],
})

type RowOptions = Partial<Pick<CardRow, 'tier' | 'updatedAt' | 'isNonconformant' | 'properties' | 'summary'>> & {
  readonly [F in keyof CardRow['texts']]?: string
}

/** A row of the public tier with the card's id as its name. */
export const aRow = (
  cardId: string,
  { tier = 'public', updatedAt = 1, properties = {}, summary, isNonconformant, ...texts }: RowOptions = {},
): CardRow => ({
  cardId,
  tier,
  texts: {
    name: [texts.name ?? cardId],
    skills: [texts.skills ?? ''],
    tags: [texts.tags ?? ''],
    examples: [texts.examples ?? ''],
    description: [texts.description ?? ''],
  },
  properties,
  updatedAt,
  ...(isNonconformant && { isNonconformant }),
  summary: summary ?? aSummary(cardId),
})

/** Indexes the cards, each with all of its rows. */
export async function fill(storage: Storage, rows: readonly CardRow[]): Promise<void> {
  const ids = [...new Set(rows.map(({ cardId }) => cardId))]
  const operations = ids.map((id) =>
    indexingCard(
      id,
      rows.filter(({ cardId }) => cardId === id),
    ),
  )
  expect(await storage.commit(operations)).toEqual({ ok: true })
}

export const search = (storage: Storage, text: string | undefined, query: Partial<CardQuery> = {}): Promise<CardHits> =>
  storage.cards.search({ ...(text !== undefined && { text }), filters: [], tier: 'public', limit: 50, ...query })

export const cardsOf = ({ hits }: CardHits): string[] => hits.map((hit) => hit.cardId)
const filter = (property: CardProperty, ...anyOf: string[]) => ({ property, anyOf })

/** Follows the cursors to the end. `between` is called before each further page. */
async function pages(storage: Storage, text: string | undefined, query: Partial<CardQuery>, between: () => Promise<void> = async () => {}) {
  const found: string[] = []
  for (let page = await search(storage, text, query); ; ) {
    found.push(...cardsOf(page))
    const after = page.next
    if (after === undefined) break
    await between()
    // A cursor is JSON on its way through the caller
    page = await search(storage, text, { ...query, after: JSON.parse(JSON.stringify(after)) })
  }
  return found
}

export function cardSearchContract(open: OpenStore): void {
  test('the summary of a row is returned unchanged and for its tier only, until the row is replaced or removed', async () => {
    await using store = await open()
    const odd = aSummary('\0 \ud800 “$where”')
    await fill(store.storage, [aRow('a'), aRow('b', { summary: odd }), aRow('b', { tier: 'introduced', name: 'other' })])
    const summariesOf = async (tier: CardTier, ...ids: string[]) => Object.fromEntries(await store.storage.cards.summaries(tier, ids))
    expect(await summariesOf('public', 'a', 'b', 'unknown')).toEqual({ a: aSummary('a'), b: odd })
    expect(await summariesOf('introduced', 'a', 'b')).toEqual({ b: aSummary('b') })
    await fill(store.storage, [aRow('a', { summary: odd }), aRow('b', { tier: 'introduced' })])
    expect(await summariesOf('public', 'a', 'b')).toEqual({ a: odd })
  })

  describe('a description', () => {
    const store = sharedStore(open)
    test.each([
      ['case', 'Invoice READER', 'invoice reader'],
      ['plural forms', 'Reads invoices', 'invoice reading'],
      ['German plural forms', 'Liest die Rechnungen und prüft sie', 'rechnung'],
      ['Spanish plural forms', 'Traduce las facturas de una empresa', 'factura'],
      ['Russian cases', 'Мы переводим документы на английский', 'документов'],
      ['diacritics', 'Résumé A\u030angström', 'resume ÅNGSTRÖM'],
      ['composed and decomposed letters', 'Re\u0301sume\u0301', 'R\u00e9sum\u00e9'],
      ['final sigma', 'ΟΔΟΣ', 'οδος'],
      ['compatibility forms', '\u00b5services ﬁle', '\u03bcServices file'],
      ['full width', 'ＯＣＲ', 'ocr'],
      ['an identifier by its parts', 'read_passport', 'passport'],
      ['an identifier as a whole', 'DarkWeb-Checker', 'darkweb'],
      ['an identifier written apart', 'readPassport', 'read passport'],
      ['C++', 'Compiles C++ and C#', 'c++'],
      ['a name with a dot', 'Runs node.js', 'nodejs'],
      ['Japanese', '日本語の請求書を翻訳します', '請求書'],
      ['Chinese', '这个代理可以翻译文件', '翻译'],
      ['Thai', 'แปลเอกสารภาษาไทย', 'เอกสาร'],
      ['Korean', '한국어문서번역', '문서'],
      ['Devanagari', 'हिन्दी अनुवाद', 'हिन्दी'],
      ['an invisible character', 'in\u200bvo\u00adice', 'invoice'],
      ['tag characters', 'in\u{e0041}voice', 'invoice'],
      ['a private-use character', '\ue000\ue001', '\ue000\ue001'],
    ])('%s: “%s” is found by “%s”, and lacks none of its words', async (_title, description, text) => {
      const { storage } = store()
      await fill(storage, [aRow('a', { description }), aRow('b', { description: 'zebra' })])
      const [hit, ...others] = (await search(storage, text)).hits
      expect([hit?.cardId, hit?.why.missing, others]).toEqual(['a', [], []])
    })
  })

  test('C++ is neither C nor C#', async () => {
    await using store = await open()
    await fill(store.storage, [aRow('a', { description: 'writes C' }), aRow('b', { description: 'writes C#' })])
    expect(cardsOf(await search(store.storage, 'c++'))).toEqual([])
    expect(cardsOf(await search(store.storage, 'c#'))).toEqual(['b'])
  })

  test('any word matches; a card with more of the words comes first, and `why` says which it has and where', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { name: 'Invoice reader', skills: 'OCR of receipts', description: 'Reads scanned papers' }),
      aRow('b', { name: 'Planner', description: 'Plans travel and pays an invoice' }),
      aRow('c', { name: 'Chess' }),
    ])
    const { hits, total, isTotalExact } = await search(store.storage, 'I need someone to scan my invoices')
    expect([hits.map(({ cardId }) => cardId), total, isTotalExact]).toEqual([['a', 'b'], 2, true])
    expect(hits.map(({ why }) => why)).toEqual([
      {
        found: [
          { word: 'scan', fields: ['description'] },
          { word: 'invoices', fields: ['name'] },
        ],
        missing: [],
      },
      { found: [{ word: 'invoices', fields: ['description'] }], missing: ['scan'] },
    ])
    expect(hits.every(({ score }) => Number.isInteger(score) && score > 0 && score < 100)).toBe(true)
  })

  test('a word counts more in the name than in a skill, then tags, then descriptions', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { description: 'weather' }),
      aRow('b', { tags: 'weather' }),
      aRow('c', { skills: 'weather' }),
      aRow('d', { name: 'weather bot' }),
    ])
    expect(cardsOf(await search(store.storage, 'weather'))).toEqual(['d', 'c', 'b', 'a'])
  })

  test('a card with exactly the name that was searched comes first', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { name: 'Weather Agent', skills: 'weather agent', tags: 'weather agent', description: 'weather agent' }),
      aRow('b', { name: 'Agent Weather Pro Weather Agent', description: 'weather' }),
      aRow('c', { name: 'The Weather', description: 'agent' }),
    ])
    expect(cardsOf(await search(store.storage, 'agent weather pro weather agent'))[0]).toBe('b')
    expect(cardsOf(await search(store.storage, 'THE weather'))[0]).toBe('c')
  })

  test('STUFF-1: a card that repeats a word, or names every word, is not before an honest one', async () => {
    await using store = await open()
    const everything = Array.from({ length: 500 }, (_, i) => `topic${i}`).join(' ')
    await fill(store.storage, [
      aRow('honest', { name: 'Papers', description: 'Reads an invoice and returns its lines.' }),
      aRow('loud', { name: 'Loud', description: 'invoice '.repeat(2000) }),
      aRow('vast', { name: 'Vast', tags: `${everything} invoice`, description: `invoice ${everything}` }),
      ...Array.from({ length: 20 }, (_, i) => aRow(`other${i}`)),
    ])
    expect(cardsOf(await search(store.storage, 'invoice'))[0]).toBe('honest')
  })

  test('A2A-02: a card that has the words of every other card is before none of them', async () => {
    await using store = await open()
    const words = Array.from({ length: 400 }, (_, i) => `word${i}x`)
    const tasks = Array.from({ length: 50 }, (_, i) => words.slice(i * 8, i * 8 + 8))
    const specialists = tasks.map((own, i) => aRow(`specialist${i}`, { name: `Agent ${i}`, description: own.slice(0, 5).join(' ') }))
    const skills = tasks.map((own) => own.join(' ')).join('\n')
    await fill(store.storage, [...specialists, aRow('universal', { name: 'Universal', skills, tags: skills, description: skills })])
    const firsts = await Promise.all(tasks.map(async (own) => cardsOf(await search(store.storage, own.join(' ')))[0]))
    expect(firsts).toEqual(specialists.map(({ cardId }) => cardId))
  })

  test('words that mean the same, words that are continued and misspelt words are found, and `why` says so', async () => {
    await using store = await open()
    await fill(store.storage, [aRow('a', { description: 'Translation of documents' }), aRow('b', { description: 'Weather and tides' })])
    const byOf = async (text: string) => (await search(store.storage, text)).hits.map(({ cardId, why }) => [cardId, why.found[0]?.by])
    expect(await byOf('localise')).toEqual([['a', 'synonym']])
    expect(await byOf('traduire')).toEqual([['a', 'synonym']])
    expect(await byOf('翻訳')).toEqual([['a', 'synonym']])
    expect(await byOf('tid')).toEqual([['b', 'prefix']])
    expect(await byOf('trasnlation')).toEqual([['a', 'spelling']])
    expect(await byOf('wether')).toEqual([['b', 'spelling']])
    expect(await byOf('documants')).toEqual([['a', 'spelling']])
    expect(await byOf('zzzzzz')).toEqual([])
    // A word that some card has is not replaced
    await fill(store.storage, [aRow('c', { description: 'wether' })])
    expect(await byOf('wether')).toEqual([['c', undefined]])
  })

  test('completions are words of the tier, the most frequent first', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { description: 'Translation' }),
      aRow('b', { description: 'translation and transport' }),
      aRow('b', { tier: 'introduced', description: 'transcendental' }),
    ])
    expect(await store.storage.cards.suggest('public', 'trans', 10)).toEqual(['translation', 'transport'])
    expect(await store.storage.cards.suggest('public', 'weather trans', 10)).toEqual([])
    expect(await store.storage.cards.suggest('public', 'trans', 1)).toEqual(['translation'])
    expect(await store.storage.cards.suggest('public', '"*"', 10)).toEqual([])
  })

  test('rows of other tiers do not change a byte of results, whichever tier a card is indexed at first', async () => {
    await using store = await open()
    const rows = ['a', 'b', 'c', 'd'].map((id, i) =>
      aRow(id, { description: `scan ${'filler '.repeat(i * 3)}`, skills: i % 2 ? 'scan invoices' : 'other', properties: { tag: ['ocr'] } }),
    )
    await fill(store.storage, rows)
    const queries: readonly (readonly [string | undefined, Partial<CardQuery>])[] = [
      ['scan', {}],
      ['scan invoices', { limit: 1 }],
      [undefined, { facets: ['tag', 'skill'] }],
      ['scan', { filters: [filter('tag', 'ocr')], facets: ['tag'] }],
      ['secret', {}],
      ['secrat', {}],
      ['secr', {}],
    ]
    const results = async () =>
      JSON.stringify([
        await Promise.all(queries.map(([text, query]) => search(store.storage, text, query))),
        await store.storage.cards.suggest('public', 'se', 20),
      ])
    const before = await results()
    for (const tier of ['authenticated', 'introduced'] as const) {
      const hidden = { tier, name: 'scan scan secret', description: 'scan secrets', properties: { tag: ['ocr', 'x'], skill: ['read'] } }
      await fill(store.storage, [
        ...rows.flatMap((row) => [row, aRow(row.cardId, hidden)]),
        ...Array.from({ length: 20 }, (_, i) => aRow(`other${i}`, hidden)),
      ])
      expect(await results()).toBe(before)
    }
    await fill(
      store.storage,
      rows.flatMap((row) => [row, { ...row, tier: 'authenticated' as const }, { ...row, tier: 'introduced' as const }]),
    )
    expect(await results()).toBe(before)
    expect((await search(store.storage, 'scan', { tier: 'authenticated' })).total).toBe(4)
  })

  test('tiers whose texts differ, but not their terms, are both found, and neither gets a word of the other', async () => {
    await using store = await open()
    for (const [first, then] of [
      ['public', 'authenticated'],
      ['authenticated', 'public'],
    ] as const) {
      const texts = { public: 'zebra invoice', authenticated: 'zebra invoices ???' }
      await fill(store.storage, [aRow('a', { tier: 'public', examples: 'zebra' })])
      await fill(
        store.storage,
        [first, then].map((tier) => aRow('a', { tier, examples: texts[tier] })),
      )
      for (const tier of ['public', 'authenticated'] as const)
        expect(cardsOf(await search(store.storage, 'zebra', { tier, filters: [] }))).toEqual(['a'])
      expect(await store.storage.cards.suggest('public', 'invoices', 10)).toEqual([])
    }
  })

  test('rows of the introduced tier are found for the cards that the caller is introduced to, in place of others', async () => {
    await using store = await open()
    const rows = (id: string) => [
      aRow(id, { description: 'reads pages' }),
      aRow(id, { tier: 'authenticated', description: 'reads pages' }),
      aRow(id, { tier: 'introduced', description: 'reads pages and passports' }),
    ]
    await fill(store.storage, [...rows('a'), ...rows('b'), ...rows('c')])
    const tiersOf = async (text: string | undefined, introducedTo: string[]) => {
      const { hits, total } = await search(store.storage, text, { tier: 'authenticated', introducedTo })
      expect(total).toBe(hits.length)
      return Object.fromEntries(hits.map(({ cardId, tier }) => [cardId, tier]))
    }
    expect(await tiersOf('passports', [])).toEqual({})
    expect(await tiersOf('passports', ['b', 'unknown'])).toEqual({ b: 'introduced' })
    const all = { a: 'authenticated', b: 'introduced', c: 'authenticated' }
    expect(await tiersOf('pages', ['b'])).toEqual(all)
    expect(await tiersOf(undefined, ['b'])).toEqual(all)
    const before = JSON.stringify(await search(store.storage, 'passports pages', { tier: 'authenticated', introducedTo: ['b'] }))
    await fill(store.storage, [...rows('a').slice(0, 2), aRow('a', { tier: 'introduced', description: 'passports passports visa' })])
    expect(JSON.stringify(await search(store.storage, 'passports pages', { tier: 'authenticated', introducedTo: ['b'] }))).toBe(before)
  })

  test('all filters must match as a whole, without regard to case and width', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { description: 'x1', properties: { skill: ['read', 'write'], tag: ['OCR', 'pdf'] }, updatedAt: 10 }),
      aRow('b', { description: 'x1', properties: { skill: ['read-all'], tag: ['ocr', 'Ｃ++'] }, updatedAt: 20 }),
      aRow('c', { description: 'x1', properties: { skill: ['ocr'], tag: ['read'], mode: ['text/plain'] }, isNonconformant: true }),
    ])
    for (const text of ['x1', undefined]) {
      const found = async (query: Partial<CardQuery>) => {
        const { hits, total } = await search(store.storage, text, query)
        expect(total).toBe(hits.length)
        return hits.map(({ cardId }) => cardId).sort()
      }
      expect(await found({})).toEqual(['a', 'b'])
      expect(await found({ includeNonconformant: true })).toEqual(['a', 'b', 'c'])
      expect(await found({ filters: [filter('skill', 'read')] })).toEqual(['a'])
      expect(await found({ filters: [filter('tag', 'ocr')] })).toEqual(['a', 'b'])
      expect(await found({ filters: [filter('tag', 'ocr'), filter('tag', 'PDF')] })).toEqual(['a'])
      expect(await found({ filters: [filter('tag', 'pdf', 'c++')] })).toEqual(['a', 'b'])
      expect(await found({ filters: [filter('tag', 'ocr'), filter('skill', 'ocr')] })).toEqual([])
      expect(await found({ publishedSince: 20 })).toEqual(['b'])
      expect(await found({ filters: [filter('mode', 'text/plain')], includeNonconformant: true })).toEqual(['c'])
    }
  })

  test('facets count the values of all matching cards, the most frequent first', async () => {
    await using store = await open()
    await fill(store.storage, [
      aRow('a', { description: 'scan', properties: { tag: ['ocr', 'pdf'] } }),
      aRow('b', { description: 'scan', properties: { tag: ['OCR'] } }),
      aRow('c', { description: 'chess', properties: { tag: ['game'], organisation: ['org_Ab'] } }),
    ])
    expect((await search(store.storage, 'chess', { facets: ['organisation'] })).facets).toEqual({
      organisation: [{ value: 'org_Ab', count: 1 }],
    })
    const tags = async (text?: string) => (await search(store.storage, text, { facets: ['tag'], limit: 1 })).facets
    expect(await tags('scan')).toEqual({
      tag: [
        { value: 'ocr', count: 2 },
        { value: 'pdf', count: 1 },
      ],
    })
    expect((await tags()).tag?.map(({ value }) => value)).toEqual(['ocr', 'game', 'pdf'])
    expect((await search(store.storage, 'scan')).facets).toEqual({})
  })

  test('a card with very many tags is found by its other properties', async () => {
    await using store = await open()
    const tag = Array.from({ length: 600 }, (_, i) => `tag${i}`)
    await fill(store.storage, [aRow('a', { description: 'scan', properties: { tag, organisation: ['org_a'], verdict: ['signed'] } })])
    const filters = [
      { property: 'organisation', anyOf: ['org_a'] },
      { property: 'verdict', anyOf: ['signed'] },
    ] as const
    expect(cardsOf(await search(store.storage, 'scan', { filters }))).toEqual(['a'])
  })

  const literal: readonly [string, string, readonly string[]][] = [
    ['a quotation mark', '"', []],
    ['an open quotation', '"alpha', ['a']],
    ['quotation marks inside', 'alpha"beta', ['a']],
    ['a star', '*', []],
    ['a caret', '^alpha', ['a']],
    ['a minus', '-alpha', ['a']],
    ['a column', 'name:delta', ['b']],
    ['NEAR', 'NEAR(alpha gamma)', ['a', 'b']],
    ['SQL', "alpha'; DROP TABLE card_entries;--", ['a']],
    ['a NUL', 'alpha\0', ['a']],
    ['a NUL between', 'alpha\0delta', ['a', 'b']],
    ['a lone surrogate', '\ud800', []],
    ['an underscore alone', '_', []],
    ['a tab', 'alpha\t3', ['a']],
    ['a list of a property', 'tag=ocr', []],
    ['a synonym group', '#translate', []],
    ['a dollar', '$where', []],
  ]
  describe('in the text of a search', () => {
    const store = sharedStore(open)
    beforeAll(() =>
      fill(store().storage, [
        aRow('a', { description: 'alpha beta gamma', properties: { tag: ['ocr'] } }),
        aRow('b', { description: 'delta and near' }),
      ]),
    )
    test.each(literal)('%s is taken literally', async (_title, text, found) => {
      const hits = await search(store().storage, text)
      expect([cardsOf(hits).sort(), hits.total]).toEqual([found, found.length])
    })
  })

  test.each([
    ['by relevance', 'ocr', {}],
    ['the newest first', 'ocr', { sort: 'newest' as const }],
    ['without a text', undefined, {}],
  ])('pages %s follow each other, and the total stays', async (_title, text, query) => {
    await using store = await open()
    await fill(
      store.storage,
      Array.from({ length: 23 }, (_, i) => aRow(`c${i}`, { name: `ocr ${i}`, description: 'filler '.repeat(i % 3), updatedAt: i % 4 })),
    )
    const whole = await search(store.storage, text, query)
    expect([whole.hits.length, whole.total, whole.isTotalExact]).toEqual([23, 23, true])
    expect(await pages(store.storage, text, { ...query, limit: 5 })).toEqual(cardsOf(whole))
  })

  test('PAGE-1: every card that matches throughout is seen exactly once while others are published, changed and removed', async () => {
    await using store = await open()
    const words = ['ocr', 'scan', 'read', 'page', 'invoice', 'chess']
    let seed = 7
    const random = (below: number) => {
      seed = (seed * 48271) % 2147483647
      return seed % below
    }
    const some = () => Array.from({ length: 1 + random(6) }, () => words[random(words.length)]).join(' ')
    for (const [text, sort] of [
      ['ocr invoice', 'relevance'],
      ['scan reed', 'relevance'],
      ['ocr', 'newest'],
      [undefined, 'newest'],
    ] as const) {
      const stable = Array.from({ length: 40 }, (_, i) => aRow(`stable${i}`, { description: some(), tags: some(), updatedAt: random(50) }))
      await fill(store.storage, stable)
      const matching = new Set(cardsOf(await search(store.storage, text, { sort, limit: 100 })).filter((id) => id.startsWith('stable')))
      let published = 0
      const seen = await pages(store.storage, text, { sort, limit: 7 }, async () => {
        published++
        await fill(store.storage, [
          aRow(`new${published}`, { description: some(), name: some(), updatedAt: random(100) }),
          aRow(`changed${random(3)}`, { description: some(), updatedAt: random(100) }),
        ])
        if (published > 2) await store.storage.commit([indexingCard(`new${published - 2}`, [])])
        expect(published).toBeLessThan(100)
      })
      const ofStable = seen.filter((id) => id.startsWith('stable'))
      expect(matching.size).toBeGreaterThan(10)
      expect(ofStable.sort()).toEqual([...matching].sort())
    }
  })

  test.each([
    ['of a word', {}],
    ['of a rare filter', { filters: [{ property: 'tag', anyOf: ['zoo'] }] }],
  ] as const)('pages lose no card %s when so many are published meanwhile that a search would be cut off', async (_, query) => {
    await using store = await open()
    const rows = (beginning: string, count: number) =>
      Array.from({ length: count }, (_, i) => aRow(`${beginning}${i}`, { description: 'zebra', properties: { tag: ['zoo'] } }))
    const first = rows('first', 250)
    await fill(store.storage, first)
    expect(await search(store.storage, 'zebra', query)).toMatchObject({ total: 250, isTotalExact: true })
    let published = 0
    const seen = await pages(store.storage, 'zebra', { ...query, limit: 100 }, async () => {
      if (published++ === 0) await fill(store.storage, rows('later', 900))
    })
    expect(seen.filter((id) => id.startsWith('first')).sort()).toEqual(first.map(({ cardId }) => cardId).sort())
    expect(new Set(seen).size).toBe(seen.length)
  })

  test('beyond 1000 cards the total is a bound, the best cards of a frequent word are found, and pages lose none of them', async () => {
    await using store = await open()
    const ids = Array.from({ length: 1300 }, (_, i) => `c${String(i).padStart(4, '0')}`)
    for (let i = 0; i < ids.length; i += 25)
      await fill(
        store.storage,
        ids.slice(i, i + 25).map((id) => aRow(id, { description: 'agent' })),
      )
    await fill(store.storage, [aRow('best', { name: 'agent smith' }), aRow('rare', { description: 'agent zebra' })])
    const { hits, total, isTotalExact } = await search(store.storage, 'agent')
    expect([hits[0]?.cardId, total, isTotalExact]).toEqual(['best', 1000, false])
    expect(cardsOf(await search(store.storage, 'zebra agent'))[0]).toBe('rare')
    let published = 0
    const seen = await pages(store.storage, 'agent', { limit: 100 }, () =>
      fill(store.storage, [aRow(`a${++published}`, { description: 'agent' }), aRow(`x${published}`, { description: 'agent' })]),
    )
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.length).toBeGreaterThanOrEqual(1000)
    const newest = await search(store.storage, undefined, { limit: 1 })
    expect([newest.total, newest.isTotalExact]).toEqual([1000, false])
  })

  test('indexing a card again replaces its rows, and indexing no rows removes it completely', async () => {
    await using store = await open()
    await fill(store.storage, [aRow('z', { name: 'other ocr' })])
    const before = JSON.stringify(await search(store.storage, 'ocr'))
    await fill(store.storage, [
      aRow('a', { name: 'ocr', properties: { tag: ['t'] } }),
      aRow('a', { name: 'ocr secret', tier: 'introduced' }),
    ])
    await fill(store.storage, [aRow('a', { name: 'planner ocr', properties: { tag: ['u'] } })])
    expect(cardsOf(await search(store.storage, 'planner'))).toEqual(['a'])
    expect((await search(store.storage, undefined, { filters: [filter('tag', 't')] })).total).toBe(0)
    expect((await search(store.storage, 'secret', { tier: 'authenticated', introducedTo: ['a'] })).total).toBe(0)
    await store.storage.commit([indexingCard('a', []), indexingCard('unknown', [])])
    expect((await search(store.storage, undefined, { filters: [filter('tag', 'u')] })).total).toBe(0)
    expect(cardsOf(JSON.parse(JSON.stringify(await search(store.storage, 'ocr'))))).toEqual(cardsOf(JSON.parse(before)))
    expect(await store.storage.cards.outdated(10)).toEqual([])
  })
}
