// The tables of card search, and how the rows of a card are written to them.
import {
  CARD_INDEX_VERSION,
  type CardEntry,
  entriesOf,
  flagsOf,
  keysOfEntry,
  listsOfEntry,
  reversed,
  tierBit,
} from '../card-search/entry.js'
import { CARD_TIERS, type CardRow, type CardTier } from '../card-search/port.js'
import type { Database } from './database.js'

/**
 * Entries have narrow rows, of which a search reads many, and their content beside them, of which it reads few. A row of a list repeats the tiers of
 * its entry (`flags`) and how the entry uses the term of the list (`use`), so that a list is read alone. Sizes and words count their entries of
 * each tier, and have no row without an entry.
 */
export const CARD_SEARCH_SCHEMA = `
  CREATE TABLE card_entries (id INTEGER PRIMARY KEY, card TEXT NOT NULL, version INTEGER NOT NULL, flags INTEGER NOT NULL, updated INTEGER NOT NULL);
  CREATE INDEX card_entries_of ON card_entries (card);
  CREATE INDEX card_entries_version ON card_entries (version);
  CREATE INDEX card_entries_newest ON card_entries (updated DESC, card);
  CREATE TABLE card_contents (id INTEGER PRIMARY KEY, properties TEXT NOT NULL, terms TEXT NOT NULL, words TEXT NOT NULL);
  CREATE TABLE card_lists (list TEXT NOT NULL, entry INTEGER NOT NULL, flags INTEGER NOT NULL, use TEXT NOT NULL, PRIMARY KEY (list, entry)) WITHOUT ROWID;
  CREATE TABLE card_sizes (key TEXT PRIMARY KEY, public INTEGER NOT NULL, authenticated INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE card_words (word TEXT PRIMARY KEY, reversed TEXT NOT NULL, public INTEGER NOT NULL, authenticated INTEGER NOT NULL) WITHOUT ROWID;
  ${['public', 'authenticated'].flatMap((tier) => ['word', 'reversed'].map((column) => `CREATE INDEX card_words_${tier}_${column} ON card_words (${column}) WHERE ${tier} > 0;`)).join(' ')}
  CREATE TABLE card_summaries (id INTEGER PRIMARY KEY, card TEXT NOT NULL, tier TEXT NOT NULL, summary TEXT NOT NULL, UNIQUE (card, tier));`

/** Replaces the tables of format 5. Its cards are outdated: they have entries of version 0 until they are indexed again. */
export const UPGRADE_CARD_SEARCH = `${CARD_SEARCH_SCHEMA}
  INSERT INTO card_entries (card, version, flags, updated)
    SELECT card, 0, 0, 0 FROM (SELECT card FROM card_public UNION SELECT card FROM card_authenticated UNION SELECT card FROM card_introduced);
  ${CARD_TIERS.flatMap((tier) => ['', '_terms', '_text', '_summary'].map((table) => `DROP TABLE card_${tier}${table};`)).join(' ')}`

type Content = Pick<CardEntry, 'properties' | 'terms' | 'words'>

/** An entry whose content stays keeps its id, and so its position in the lists, even if other tiers share it from now on. */
export function replaceRows(db: Database, cardId: string, rows: readonly CardRow[]): void {
  const fresh = new Map(entriesOf(rows).map((entry) => [contentOf(entry), entry]))
  for (const stored of db.all(
    'SELECT e.id, version, flags, properties, terms, words FROM card_entries e LEFT JOIN card_contents c ON c.id = e.id WHERE card = ?',
    cardId,
  )) {
    const content = { properties: String(stored.properties ?? ''), terms: String(stored.terms ?? ''), words: wordsIn(stored.words) }
    const [id, flags] = [Number(stored.id), Number(stored.flags)]
    const same = stored.version === CARD_INDEX_VERSION ? fresh.get(contentOf(content)) : undefined
    if (same === undefined) removeEntry(db, id, flags, content)
    else keepEntry(db, { id, before: flags, words: content.words }, same)
    if (same !== undefined) fresh.delete(contentOf(content))
  }
  for (const entry of fresh.values()) addEntry(db, cardId, entry)
  db.run('DELETE FROM card_summaries WHERE card = ?', cardId)
  for (const { tier, summary } of rows)
    db.run('INSERT INTO card_summaries (card, tier, summary) VALUES (?, ?, ?)', cardId, tier, JSON.stringify(summary))
}

/** Words contain no spaces. */
const wordsIn = (cell: unknown): readonly string[] =>
  String(cell ?? '')
    .split(' ')
    .filter((word) => word !== '')

const contentOf = ({ properties, terms }: Pick<Content, 'properties' | 'terms'>): string => `${properties}${terms}`

function addEntry(db: Database, cardId: string, entry: CardEntry): void {
  const flags = flagsOf(entry)
  db.run('INSERT INTO card_entries (card, version, flags, updated) VALUES (?, ?, ?, ?)', cardId, CARD_INDEX_VERSION, flags, entry.updatedAt)
  const id = Number(db.one('SELECT last_insert_rowid() AS id')?.id)
  db.run(
    'INSERT INTO card_contents (id, properties, terms, words) VALUES (?, ?, ?, ?)',
    id,
    entry.properties,
    entry.terms,
    entry.words.join(' '),
  )
  for (const { list, use } of listsOfEntry(entry))
    db.run('INSERT OR IGNORE INTO card_lists (list, entry, flags, use) VALUES (?, ?, ?, ?)', list, id, flags, use)
  addToSizes(db, entry, 0, flags)
  addToWords(db, entry.words, 0, flags)
}

/** Forms of a word have one term, so an entry with the same terms may have other words. */
function keepEntry(
  db: Database,
  { id, before, words }: { readonly id: number; readonly before: number; readonly words: readonly string[] },
  entry: CardEntry,
): void {
  const flags = flagsOf(entry)
  db.run('UPDATE card_entries SET flags = ?, updated = ? WHERE id = ?', flags, entry.updatedAt, id)
  if (flags === before && words.join(' ') === entry.words.join(' ')) return
  db.run('UPDATE card_contents SET words = ? WHERE id = ?', entry.words.join(' '), id)
  addToWords(db, words, before, 0)
  addToWords(db, entry.words, 0, flags)
  if (flags === before) return
  for (const { list } of listsOfEntry(entry)) db.run('UPDATE card_lists SET flags = ? WHERE list = ? AND entry = ?', flags, list, id)
  addToSizes(db, entry, before, flags)
}

function removeEntry(db: Database, id: number, flags: number, content: Content): void {
  db.run('DELETE FROM card_entries WHERE id = ?', id)
  db.run('DELETE FROM card_contents WHERE id = ?', id)
  for (const { list } of listsOfEntry(content)) db.run('DELETE FROM card_lists WHERE list = ? AND entry = ?', list, id)
  addToSizes(db, content, flags, 0)
  addToWords(db, content.words, flags, 0)
}

/** Counts an entry whose flags change. */
function addToSizes(db: Database, content: Content, before: number, after: number): void {
  const [ofPublic, ofAuthenticated] = addedTiers(before, after)
  if (ofPublic === 0 && ofAuthenticated === 0) return
  for (const key of keysOfEntry(content)) {
    db.run(
      `INSERT INTO card_sizes (key, public, authenticated) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET public = public + excluded.public, authenticated = authenticated + excluded.authenticated`,
      key,
      ofPublic,
      ofAuthenticated,
    )
    if (ofPublic < 0 || ofAuthenticated < 0) db.run('DELETE FROM card_sizes WHERE key = ? AND public = 0 AND authenticated = 0', key)
  }
}

/** Counts the words of an entry whose flags change. Words that only introduced callers may see are not kept: nothing reads them. */
function addToWords(db: Database, words: readonly string[], before: number, after: number): void {
  const [ofPublic, ofAuthenticated] = addedTiers(before, after)
  if (ofPublic === 0 && ofAuthenticated === 0) return
  for (const word of words) {
    db.run(
      `INSERT INTO card_words (word, reversed, public, authenticated) VALUES (?, ?, ?, ?)
       ON CONFLICT (word) DO UPDATE SET public = public + excluded.public, authenticated = authenticated + excluded.authenticated`,
      word,
      reversed(word),
      ofPublic,
      ofAuthenticated,
    )
    if (ofPublic < 0 || ofAuthenticated < 0) db.run('DELETE FROM card_words WHERE word = ? AND public = 0 AND authenticated = 0', word)
  }
}

/** By how much the numbers of entries of the public and of the authenticated tier change. */
function addedTiers(before: number, after: number): readonly [ofPublic: number, ofAuthenticated: number] {
  const added = (tier: CardTier) => Number((after & tierBit(tier)) > 0) - Number((before & tierBit(tier)) > 0)
  return [added('public'), added('authenticated')]
}
