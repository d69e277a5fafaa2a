// Full-text search over cards. Each tier has tables of its own, so what a caller may not see changes neither order, score nor total of what it may.
// bm25 looks at every row of a tier. Where a query is restricted to certain cards (the introduced tier), the score must not tell what other cards of
// the tier hold either: there it counts the matches of each row alone.
import { wordsIn } from '../../lib/words.js'
import { CARD_WEIGHTS, SCORE_UNIT, termsAsked, termsOf, textsOf } from '../card-search.js'
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
  /** In a transaction. Replaces the card's row of that tier. */
  index(row: CardRow): void
  /** In a transaction. What is not there need not be removed. */
  unindex(cardId: string, tier: CardTier): void
}

const WEIGHTS = Object.values(CARD_WEIGHTS)
const COLUMNS = Object.keys(CARD_WEIGHTS).join(', ')

/** What a search shows stands apart from what it looks at, so that looking reads little. */
export const CARD_SHOWN_SCHEMA = CARD_TIERS.map(
  (tier) => `CREATE TABLE card_${tier}_shown (id INTEGER PRIMARY KEY, shown TEXT NOT NULL);`,
).join(' ')

/** The tables of card search, for the file's first start. */
export const CARD_SEARCH_SCHEMA = CARD_TIERS.map(
  (tier) => `
  CREATE TABLE card_${tier} (id INTEGER PRIMARY KEY, card TEXT NOT NULL UNIQUE, updated NOT NULL);
  CREATE TABLE card_${tier}_terms (term TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (term, id)) WITHOUT ROWID;
  CREATE INDEX card_${tier}_terms_of ON card_${tier}_terms (id);
  CREATE VIRTUAL TABLE card_${tier}_text USING fts5(${COLUMNS}, tokenize = 'unicode61 remove_diacritics 2');`,
)
  .join('')
  .concat(CARD_SHOWN_SCHEMA)

export function newCardSearch(db: Database, commits: GroupCommit): CardSearch {
  return {
    index: (row) => {
      unindex(db, row.cardId, row.tier)
      index(db, row)
    },
    unindex: (cardId, tier) => unindex(db, cardId, tier),
    search: (query) => commits.read(() => search(db, query)),
    shown: (tier, cardIds) => commits.read(() => shown(db, tier, cardIds)),
    unshown: (limit) => commits.read(() => unshown(db, limit)),
  }
}

function index(db: Database, row: CardRow): void {
  const card = `card_${row.tier}`
  db.run(`INSERT INTO ${card} (card, updated) VALUES (?, ?)`, textCell(row.cardId), row.updatedAt)
  const id = idOf(db, row.cardId, row.tier)
  if (id === undefined) throw new Error('a card that was just indexed is not there')
  for (const term of termsOf(row)) db.run(`INSERT OR IGNORE INTO ${card}_terms (term, id) VALUES (?, ?)`, textCell(term), id)
  db.run(`INSERT INTO ${card}_text (rowid, ${COLUMNS}) VALUES (?, ?, ?, ?, ?)`, id, ...Object.values(textsOf(row)).map(searchable))
  db.run(`INSERT INTO ${card}_shown (id, shown) VALUES (?, ?)`, id, JSON.stringify(row.shown))
}

function unindex(db: Database, cardId: string, tier: CardTier): void {
  const id = idOf(db, cardId, tier)
  if (id === undefined) return
  db.run(`DELETE FROM card_${tier}_text WHERE rowid = ?`, id)
  db.run(`DELETE FROM card_${tier}_shown WHERE id = ?`, id)
  db.run(`DELETE FROM card_${tier}_terms WHERE id = ?`, id)
  db.run(`DELETE FROM card_${tier} WHERE id = ?`, id)
}

function idOf(db: Database, cardId: string, tier: CardTier): number | undefined {
  const id = db.one(`SELECT id FROM card_${tier} WHERE card = ?`, textCell(cardId))?.id
  return id === undefined ? undefined : Number(id)
}

function shown(db: Database, tier: CardTier, cardIds: readonly string[]): ReadonlyMap<string, CardSummary> {
  const rows = db.all(
    `SELECT c.card AS card, s.shown AS shown FROM card_${tier} c JOIN card_${tier}_shown s ON s.id = c.id
     WHERE c.card IN (SELECT value FROM json_each(?))`,
    JSON.stringify(cardIds),
  )
  // Written by index(), of a ShownCard.
  return new Map(rows.map((row) => [String(row.card), JSON.parse(String(row.shown)) as CardSummary]))
}

function unshown(db: Database, limit: number): readonly string[] {
  const found = CARD_TIERS.flatMap((tier) =>
    db.all(`SELECT card FROM card_${tier} WHERE id NOT IN (SELECT id FROM card_${tier}_shown) LIMIT ?`, limit),
  )
  return [...new Set(found.map((row) => String(row.card)))].slice(0, limit)
}

interface Part {
  readonly sql: string
  readonly cells: readonly Cell[]
}

function search(db: Database, query: CardQuery): CardHits {
  const match = matchOf(query.words)
  if (match === '') return { hits: [], total: 0 }
  const scored = scoredRows(query, match && withTags(match, query.tags))
  const after: Part =
    query.after === undefined
      ? { sql: '', cells: [] }
      : { sql: 'WHERE (score, card) > (?, ?)', cells: [query.after[0], textCell(query.after[1])] }
  // Counted on the way: a second pass would score every row again
  const rows = db.all(
    `SELECT * FROM (SELECT card, score, count(*) OVER () AS total FROM (${scored.sql})) ${after.sql} ORDER BY score, card LIMIT ?`,
    ...scored.cells,
    ...after.cells,
    query.limit,
  )
  const total = rows[0]?.total ?? db.one(`SELECT count(*) AS total FROM (${scored.sql})`, ...scored.cells)?.total
  const found = shown(
    db,
    query.tier,
    rows.map(({ card }) => String(card)),
  )
  const hits = rows.map(({ card, score }) => {
    const shown = found.get(String(card))
    return { cardId: String(card), score: Number(score), ...(shown && { shown }) }
  })
  return { hits, total: Number(total) }
}

/** Every row that the query meets, with its score. */
function scoredRows(query: CardQuery, match: string | undefined): Part {
  const card = `card_${query.tier}`
  const text = `${card}_text`
  const terms = termsAsked(query)
  // Where words have narrowed the rows, each is looked up; where not, the lists of the terms are met
  const conditions = terms.map(() =>
    match === undefined
      ? `c.id IN (SELECT id FROM ${card}_terms WHERE term = ?)`
      : `EXISTS (SELECT 1 FROM ${card}_terms WHERE term = ? AND id = c.id)`,
  )
  const cells: Cell[] = terms.map(textCell)
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

/** Of `n` matches in a column the first tells most: n / (n + 1). They are counted by the marks that highlight() sets. */
function matchesIn(text: string, column: number): string {
  const count = `(length(highlight(${text}, ${column}, char(${MARK}), '')) - length(highlight(${text}, ${column}, '', '')))`
  return `(${count} / (${count} + 1.0))`
}

/** Every word as a quoted FTS5 string: no operators, no wildcards. Undefined: no words were asked for; '': words that no text can hold. */
function matchOf(words: readonly string[]): string | undefined {
  return words.length === 0 ? undefined : phrasesOf(words).join(' ')
}

const phrasesOf = (words: readonly string[]): string[] =>
  words
    .map(searchable)
    .filter((word) => wordsIn(word).length > 0)
    .map((word) => `"${word.replaceAll('"', '""')}"`)

/** The words of the tags narrow what is scored; that they are the whole tags is for the terms to say. */
const withTags = (match: string, tags: readonly string[]): string =>
  [`(${match})`, ...phrasesOf(tags).map((phrase) => `tags : ${phrase}`)].join(' AND ')

/** Text as the driver stores it whole (it cuts at NUL), without the mark that counts matches. */
const searchable = (text: string): string =>
  text
    .replaceAll(/\p{Surrogate}/gu, '\ufffd')
    .replaceAll('\0', ' ')
    .replaceAll(String.fromCharCode(MARK), ' ')
const MARK = 1
