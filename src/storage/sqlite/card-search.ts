// Full-text search over cards. Each tier has tables of its own, so rows that a caller may not see affect neither order, score nor total of its hits.
// A query of a whole tier is scored by bm25, which depends on all rows of the tier. A query restricted to certain cards (the introduced tier) is
// scored by the number of matches in each row alone, because the score must not reveal the content of other cards of that tier.
import { wordsIn } from '../../lib/words.js'
import { CARD_WEIGHTS, NONCONFORMANT, requestedTerms, SCORE_UNIT, termsOf, textsOf } from '../card-search.js'
import {
  CARD_TIERS,
  type CardHits,
  type CardQuery,
  type CardRow,
  type CardSearchPort,
  type CardSummary,
  type CardTier,
} from '../storage.js'
import { type Cell, type Database, textCell } from './database.js'
import type { GroupCommit } from './group-commit.js'

export interface CardSearch extends CardSearchPort {
  /** Replaces the card's row of that tier. Call it in a transaction. */
  index(row: CardRow): void
  /** Removes the card's row of that tier, if there is one. Call it in a transaction. */
  unindex(cardId: string, tier: CardTier): void
}

const WEIGHTS = Object.values(CARD_WEIGHTS)
const COLUMNS = Object.keys(CARD_WEIGHTS).join(', ')

/** The tables of card search. Summaries have a table of their own, so that scoring reads few pages. */
export const CARD_SEARCH_SCHEMA = CARD_TIERS.map(
  (tier) => `
  CREATE TABLE card_${tier} (id INTEGER PRIMARY KEY, card TEXT NOT NULL UNIQUE, updated NOT NULL);
  CREATE TABLE card_${tier}_terms (term TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (term, id)) WITHOUT ROWID;
  CREATE INDEX card_${tier}_terms_of ON card_${tier}_terms (id);
  CREATE VIRTUAL TABLE card_${tier}_text USING fts5(${COLUMNS}, tokenize = 'unicode61 remove_diacritics 2');
  CREATE TABLE card_${tier}_summary (id INTEGER PRIMARY KEY, summary TEXT NOT NULL);`,
).join('')

export function newCardSearch(db: Database, commits: GroupCommit): CardSearch {
  return {
    index: (row) => {
      unindex(db, row.cardId, row.tier)
      index(db, row)
    },
    unindex: (cardId, tier) => unindex(db, cardId, tier),
    search: (query) => commits.read(() => search(db, query)),
    summaries: (tier, cardIds) => commits.read(() => summaries(db, tier, cardIds)),
  }
}

function index(db: Database, row: CardRow): void {
  const card = `card_${row.tier}`
  db.run(`INSERT INTO ${card} (card, updated) VALUES (?, ?)`, textCell(row.cardId), row.updatedAt)
  const id = idOf(db, row.cardId, row.tier)
  if (id === undefined) throw new Error(`card ${row.cardId} was indexed, but its row is missing`)
  for (const term of termsOf(row)) db.run(`INSERT OR IGNORE INTO ${card}_terms (term, id) VALUES (?, ?)`, textCell(term), id)
  db.run(`INSERT INTO ${card}_text (rowid, ${COLUMNS}) VALUES (?, ?, ?, ?, ?)`, id, ...Object.values(textsOf(row)).map(searchable))
  db.run(`INSERT INTO ${card}_summary (id, summary) VALUES (?, ?)`, id, JSON.stringify(row.summary))
}

function unindex(db: Database, cardId: string, tier: CardTier): void {
  const id = idOf(db, cardId, tier)
  if (id === undefined) return
  db.run(`DELETE FROM card_${tier}_text WHERE rowid = ?`, id)
  db.run(`DELETE FROM card_${tier}_summary WHERE id = ?`, id)
  db.run(`DELETE FROM card_${tier}_terms WHERE id = ?`, id)
  db.run(`DELETE FROM card_${tier} WHERE id = ?`, id)
}

function idOf(db: Database, cardId: string, tier: CardTier): number | undefined {
  const id = db.one(`SELECT id FROM card_${tier} WHERE card = ?`, textCell(cardId))?.id
  return id === undefined ? undefined : Number(id)
}

function summaries(db: Database, tier: CardTier, cardIds: readonly string[]): ReadonlyMap<string, CardSummary> {
  const rows = db.all(
    `SELECT c.card AS card, s.summary AS summary FROM card_${tier} c JOIN card_${tier}_summary s ON s.id = c.id
     WHERE c.card IN (SELECT value FROM json_each(?))`,
    JSON.stringify(cardIds),
  )
  return new Map(rows.map(({ card, summary }) => [String(card), JSON.parse(String(summary)) as CardSummary])) // written by index()
}

interface SqlPart {
  readonly sql: string
  readonly cells: readonly Cell[]
}

function search(db: Database, query: CardQuery): CardHits {
  const match = matchOf(query.words)
  if (match === '') return { hits: [], total: 0 }
  const scored = scoredRows(query, match && withTags(match, query.tags))
  const after: SqlPart =
    query.after === undefined
      ? { sql: '', cells: [] }
      : { sql: 'WHERE (score, card) > (?, ?)', cells: [query.after[0], textCell(query.after[1])] }
  // The total is counted in the same query: a second query would score every row again
  const rows = db.all(
    `SELECT * FROM (SELECT card, score, count(*) OVER () AS total FROM (${scored.sql})) ${after.sql} ORDER BY score, card LIMIT ?`,
    ...scored.cells,
    ...after.cells,
    query.limit,
  )
  const total = rows[0]?.total ?? db.one(`SELECT count(*) AS total FROM (${scored.sql})`, ...scored.cells)?.total
  const summaryOf = summaries(
    db,
    query.tier,
    rows.map(({ card }) => String(card)),
  )
  const hits = rows.flatMap(({ card, score }) => {
    const summary = summaryOf.get(String(card))
    return summary === undefined ? [] : [{ cardId: String(card), score: Number(score), summary }]
  })
  return { hits, total: Number(total) }
}

/** All rows that match the query, with their scores. */
function scoredRows(query: CardQuery, match: string | undefined): SqlPart {
  const card = `card_${query.tier}`
  const text = `${card}_text`
  const terms = requestedTerms(query)
  // With words, few rows are left and each is looked up. Without words, the row lists of the terms are intersected
  const conditions = terms.map(() =>
    match === undefined
      ? `c.id IN (SELECT id FROM ${card}_terms WHERE term = ?)`
      : `EXISTS (SELECT 1 FROM ${card}_terms WHERE term = ? AND id = c.id)`,
  )
  const cells: Cell[] = terms.map(textCell)
  if (!query.includeNonconformant) {
    conditions.push(`NOT EXISTS (SELECT 1 FROM ${card}_terms WHERE term = ? AND id = c.id)`)
    cells.push(textCell(NONCONFORMANT))
  }
  if (query.cardIds !== undefined) {
    conditions.push('c.card IN (SELECT value FROM json_each(?))')
    cells.push(JSON.stringify(query.cardIds))
  }
  if (match === undefined) {
    // Without words the newest come first
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
    return { sql: `SELECT c.card AS card, -c.updated AS score FROM ${card} c ${where}`, cells }
  }
  const score =
    query.cardIds === undefined
      ? `bm25(${text}, ${WEIGHTS.join(', ')})`
      : `-(${WEIGHTS.map((weight, i) => `${weight} * ${matchesIn(text, i)}`).join(' + ')})`
  return {
    sql: `SELECT c.card AS card, CAST(round(${score} * ${SCORE_UNIT}) AS INTEGER) AS score
      FROM ${text} JOIN ${card} c ON c.id = ${text}.rowid WHERE ${[`${text} MATCH ?`, ...conditions].join(' AND ')}`,
    cells: [match, ...cells],
  }
}

/** SQL for n / (n + 1), where n is the number of matches in the column: further matches add less. highlight() inserts one mark for each match, which this counts. */
function matchesIn(text: string, column: number): string {
  const count = `(length(highlight(${text}, ${column}, char(${MARK}), '')) - length(highlight(${text}, ${column}, '', '')))`
  return `(${count} / (${count} + 1.0))`
}

/** Quotes each word for FTS5, so that none is an operator or a wildcard. Undefined: the query has no words. '': no text can contain its words. */
function matchOf(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : phrasesOf(words).join(' ')
}

const phrasesOf = (words: readonly string[]): string[] =>
  words
    .map(searchable)
    .filter((word) => wordsIn(word).length > 0)
    .map((word) => `"${word.replaceAll('"', '""')}"`)

/** Adds the words of the tags, so that fewer rows are scored. The conditions on terms still check that a tag matches as a whole. */
const withTags = (match: string, tags: readonly string[]): string =>
  [`(${match})`, ...phrasesOf(tags).map((phrase) => `tags : ${phrase}`)].join(' AND ')

/** Replaces what would break storage or scoring: lone surrogates, NUL (where the driver truncates a text) and the mark that counts matches. */
const searchable = (text: string): string =>
  text
    .replaceAll(/\p{Surrogate}/gu, '\ufffd')
    .replaceAll('\0', ' ')
    .replaceAll(String.fromCharCode(MARK), ' ')
const MARK = 1
