// How well search finds agents for labelled queries, beside minisearch and plain BM25 with OR, over the same cards.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import MiniSearch from 'minisearch'
import { systemClock } from '../dist/lib/clock.js'
import { openSqlite } from '../dist/storage/sqlite/open.js'
import { newFolder } from './lib/open.js'
import { percentile } from './lib/report.js'
import { QUERIES } from './relevance/queries.js'
import { generatedCards } from './relevance/topics.js'

const REAL_CARDS = new URL('../../shared/cards/', import.meta.url).pathname
const TOP = 10

export async function run(report) {
  const cards = [...realCards(report), ...generatedCards(report.isQuick ? 3 : 75)].map((card, i) => ({
    ...card,
    id: `c${String(i).padStart(5, '0')}`,
  }))
  const asked = QUERIES.filter((_, i) => !report.isQuick || i % 4 === 0)
  const queries = asked.map((query) => ({ ...query, gains: gainsOf(query, cards) })).filter(({ gains }) => gains.size > 0)
  report.say(`relevance: ${queries.length} of ${asked.length} queries have a relevant card, ${cards.length} cards`)
  const engines = { credence: await credence(cards), minisearch: minisearch(cards), 'BM25 with OR': bm25(cards) }
  const kinds = ['all', ...new Set(queries.map(({ kind }) => kind))]
  for (const [name, search] of Object.entries(engines)) {
    const results = []
    const times = []
    for (const { kind, query, gains } of queries) {
      const startedAt = performance.now()
      const found = await search(query)
      times.push(performance.now() - startedAt)
      results.push({ kind, query, ...measures(found, gains) })
      if (process.env.BENCH_VERBOSE && name === 'credence' && results.at(-1).ndcg < 0.7)
        report.say(
          `${kind}: ${query}: ${results.at(-1).ndcg.toFixed(2)}: ${found
            .slice(0, 5)
            .map((id) => `${cards.find((card) => card.id === id).name}/${cards.find((card) => card.id === id).topic ?? 'real'}`)
            .join(', ')}`,
        )
    }
    for (const kind of kinds) {
      const own = results.filter((result) => kind === 'all' || result.kind === kind)
      const mean = (measure) => own.reduce((sum, result) => sum + result[measure], 0) / own.length
      const goal = name === 'credence' ? { all: 0.85, skills: 0.85, tasks: 0.75, typos: 0.8 }[kind] : undefined
      const title = `${name}, ${kind} (${own.length}): NDCG@10`
      if (goal === undefined) report.figure(title, mean('ndcg'))
      else report.goal(title, mean('ndcg'), { atLeast: goal })
      report.figure(`${name}, ${kind}: MRR`, mean('mrr'))
      report.figure(`${name}, ${kind}: Recall@10`, mean('recall'))
    }
    report.figure(`${name}: time of a query, p50`, percentile(times, 0.5), 'ms')
  }
  await rankStuffedCards(report, cards, queries)
}

/** For how many queries a card that names the most frequent words of all others comes before every relevant one. */
async function rankStuffedCards(report, cards, queries) {
  for (const count of report.isQuick ? [300] : [300, 900]) {
    const id = 'stuffed'
    const search = await credence([...cards, { ...cardOf(frequentWords(cards).slice(0, count)), id }])
    let before = 0
    for (const { query, gains } of queries) {
      const found = await search(query)
      const [first = TOP] = found.flatMap((one, i) => (gains.has(one) ? [i] : []))
      const stuffed = found.indexOf(id)
      if (stuffed !== -1 && stuffed < first) before++
    }
    report.goal(`credence: queries with a card of ${count} words first`, before, { atMost: 0 })
  }
}

/** The words of names and tags, those of most cards first. */
function frequentWords(cards) {
  const counts = new Map()
  for (const { name, skills } of cards) {
    const text = [name, ...skills.flatMap((skill) => [skill.name, ...skill.tags])].join(' ').toLowerCase()
    for (const word of new Set(text.match(/\p{L}{3,}/gu))) counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([word]) => word)
}

/** A card with four of the words in each skill. */
function cardOf(words) {
  const skills = []
  for (let i = 0; i < words.length; i += 4) {
    const own = words.slice(i, i + 4)
    skills.push({ id: `s${i}`, name: own.join(' '), description: own.join(' '), tags: own })
  }
  return { name: 'Universal assistant', description: words.join(' '), skills }
}

/** The text of each card of the collection, also of those that the registry refuses. */
function realCards(report) {
  if (!existsSync(REAL_CARDS)) {
    report.say('*** NOT MEASURED OVER REAL CARDS: ../shared/cards is missing ***')
    return []
  }
  return readdirSync(REAL_CARDS)
    .filter((file) => file.endsWith('.json'))
    .map((file) => JSON.parse(readFileSync(join(REAL_CARDS, file), 'utf8')))
    .filter(({ name, skills }) => typeof name === 'string' && Array.isArray(skills))
    .map(({ name, description, skills }) => ({
      name,
      description: String(description ?? ''),
      skills: skills.map((skill) => ({
        id: String(skill.id ?? ''),
        name: String(skill.name ?? ''),
        description: [skill.description ?? '', ...[skill.examples ?? []].flat()].map(String).join('\n'),
        tags: [skill.tags ?? []].flat().map(String),
      })),
    }))
}

/** Gain of each relevant card: 3, or 1 if it is somewhat relevant. */
function gainsOf({ relevant, somewhat }, cards) {
  const isLabelled = (card, labels) =>
    labels.some((label) => (label.startsWith('@') ? card.topic === undefined && card.name === label.slice(1) : card.topic === label))
  return new Map(cards.flatMap((card) => (isLabelled(card, relevant) ? [[card.id, 3]] : isLabelled(card, somewhat) ? [[card.id, 1]] : [])))
}

function measures(found, gains) {
  const top = found.slice(0, TOP).map((id) => gains.get(id) ?? 0)
  const dcg = (list) => list.reduce((sum, gain, i) => sum + gain / Math.log2(i + 2), 0)
  const best = [...gains.values()].sort((a, b) => b - a).slice(0, TOP)
  const first = top.indexOf(3)
  const relevant = [...gains.values()].filter((gain) => gain === 3).length
  return {
    ndcg: dcg(top) / dcg(best),
    mrr: first === -1 ? 0 : 1 / (first + 1),
    recall: relevant === 0 ? 1 : top.filter((gain) => gain === 3).length / Math.min(TOP, relevant),
  }
}

async function credence(cards) {
  const storage = await openSqlite({ file: join(newFolder(), 'relevance.db'), clock: systemClock })
  const rowOf = ({ id, name, description, skills }) => ({
    cardId: id,
    tier: 'public',
    texts: {
      name: [name],
      skills: skills.flatMap((skill) => [skill.name, skill.id]),
      tags: skills.flatMap(({ tags }) => tags),
      examples: skills.map((skill) => skill.description),
      description: [description],
    },
    properties: {},
    updatedAt: 1,
    summary: {},
  })
  for (let i = 0; i < cards.length; i += 200)
    await storage.commit(cards.slice(i, i + 200).map((card) => ({ kind: 'index-card', cardId: card.id, rows: [rowOf(card)] })))
  return async (text) => (await storage.cards.search({ text, filters: [], tier: 'public', limit: TOP })).hits.map(({ cardId }) => cardId)
}

const fieldsOf = ({ id, name, description, skills }) => ({
  id,
  name,
  skills: skills.map((skill) => `${skill.name} ${skill.id}`).join(' '),
  tags: skills.flatMap(({ tags }) => tags).join(' '),
  examples: skills.map((skill) => skill.description).join(' '),
  description,
})
const WEIGHTS = { name: 5, skills: 3.5, tags: 3, examples: 1.4, description: 1.2 }

function minisearch(cards) {
  const engine = new MiniSearch({ fields: Object.keys(WEIGHTS), searchOptions: { boost: WEIGHTS, prefix: true, fuzzy: 0.2 } })
  engine.addAll(cards.map(fieldsOf))
  return async (text) =>
    engine
      .search(text)
      .slice(0, TOP)
      .map(({ id }) => id)
}

/** Okapi BM25 over all fields as one text, where any word matches. */
function bm25(cards) {
  const wordsIn = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  const texts = cards.map((card) => ({ id: card.id, words: wordsIn(Object.values({ ...fieldsOf(card), id: '' }).join(' ')) }))
  const average = texts.reduce((sum, { words }) => sum + words.length, 0) / texts.length
  const lists = new Map()
  for (const { id, words } of texts) {
    const counts = new Map()
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
    for (const [word, count] of counts) {
      if (!lists.has(word)) lists.set(word, [])
      lists.get(word).push([id, (count * 2.2) / (count + 1.2 * (0.25 + (0.75 * words.length) / average))])
    }
  }
  return async (text) => {
    const scores = new Map()
    for (const word of new Set(wordsIn(text))) {
      const list = lists.get(word) ?? []
      const weight = Math.log(1 + (texts.length - list.length + 0.5) / (list.length + 0.5))
      for (const [id, tf] of list) scores.set(id, (scores.get(id) ?? 0) + weight * tf)
    }
    return [...scores]
      .sort((a, b) => b[1] - a[1])
      .slice(0, TOP)
      .map(([id]) => id)
  }
}
