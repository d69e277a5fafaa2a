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
 * its entry (`flags`) and how the entry uses the term of the list (`use`), so that a list is read alone.
 */
export const CARD_SEARCH_SCHEMA = `
  CREATE TABLE card_entries (id INTEGER PRIMARY KEY, card TEXT NOT NULL, version INTEGER NOT NULL, flags INTEGER NOT NULL, updated INTEGER NOT NULL);
  CREATE INDEX card_entries_of ON card_entries (card);
  CREATE INDEX card_entries_version ON card_entries (version);
  CREATE INDEX card_entries_newest ON card_entries (updated DESC, card);
  CREATE TABLE card_contents (id INTEGER PRIMARY KEY, properties TEXT NOT NULL, terms TEXT NOT NULL);
  CREATE TABLE card_lists (list TEXT NOT NULL, entry INTEGER NOT NULL, flags INTEGER NOT NULL, use TEXT NOT NULL, PRIMARY KEY (list, entry)) WITHOUT ROWID;
  CREATE TABLE card_sizes (key TEXT PRIMARY KEY, public INTEGER NOT NULL, authenticated INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE card_words (word TEXT PRIMARY KEY, reversed TEXT NOT NULL, tiers INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX card_words_reversed ON card_words (reversed);
  CREATE TABLE card_summaries (id INTEGER PRIMARY KEY, card TEXT NOT NULL, tier TEXT NOT NULL, summary TEXT NOT NULL, UNIQUE (card, tier));`

/** Replaces the tables of format 5. Its cards are outdated: they have entries of version 0 until they are indexed again. */
export const UPGRADE_CARD_SEARCH = `${CARD_SEARCH_SCHEMA}
  INSERT INTO card_entries (card, version, flags, updated)
    SELECT card, 0, 0, 0 FROM (SELECT card FROM card_public UNION SELECT card FROM card_authenticated UNION SELECT card FROM card_introduced);
  ${CARD_TIERS.flatMap((tier) => ['', '_terms', '_text', '_summary'].map((table) => `DROP TABLE card_${tier}${table};`)).join(' ')}`

type Content = Pick<CardEntry, 'properties' | 'terms'>

/** An entry whose content stays keeps its id, and so its position in the lists, even if other tiers share it from now on. */
export function replaceRows(db: Database, cardId: string, rows: readonly CardRow[]): void {
  const fresh = new Map(entriesOf(rows).map((entry) => [contentOf(entry), entry]))
  for (const stored of db.all(
    'SELECT e.id, version, flags, properties, terms FROM card_entries e LEFT JOIN card_contents c ON c.id = e.id WHERE card = ?',
    cardId,
  )) {
    const content = { properties: String(stored.properties ?? ''), terms: String(stored.terms ?? '') }
    const [id, flags] = [Number(stored.id), Number(stored.flags)]
    const same = stored.version === CARD_INDEX_VERSION ? fresh.get(contentOf(content)) : undefined
    if (same === undefined) removeEntry(db, id, flags, content)
    else keepEntry(db, id, flags, same)
    if (same !== undefined) fresh.delete(contentOf(content))
  }
  for (const entry of fresh.values()) addEntry(db, cardId, entry)
  db.run('DELETE FROM card_summaries WHERE card = ?', cardId)
  for (const { tier, summary } of rows)
    db.run('INSERT INTO card_summaries (card, tier, summary) VALUES (?, ?, ?)', cardId, tier, JSON.stringify(summary))
}

const contentOf = ({ properties, terms }: Content): string => `${properties}${terms}`

function addEntry(db: Database, cardId: string, entry: CardEntry): void {
  const flags = flagsOf(entry)
  db.run('INSERT INTO card_entries (card, version, flags, updated) VALUES (?, ?, ?, ?)', cardId, CARD_INDEX_VERSION, flags, entry.updatedAt)
  const id = Number(db.one('SELECT last_insert_rowid() AS id')?.id)
  db.run('INSERT INTO card_contents (id, properties, terms) VALUES (?, ?, ?)', id, entry.properties, entry.terms)
  for (const { list, use } of listsOfEntry(entry))
    db.run('INSERT OR IGNORE INTO card_lists (list, entry, flags, use) VALUES (?, ?, ?, ?)', list, id, flags, use)
  addToSizes(db, entry, 0, flags)
  addWords(db, entry)
}

function addWords(db: Database, { words, tiers }: CardEntry): void {
  for (const word of words)
    db.run(
      `INSERT INTO card_words (word, reversed, tiers) VALUES (?, ?, ?)
       ON CONFLICT (word) DO UPDATE SET tiers = tiers | excluded.tiers WHERE tiers | excluded.tiers != tiers`,
      word,
      reversed(word),
      tiers,
    )
}

function keepEntry(db: Database, id: number, before: number, entry: CardEntry): void {
  const flags = flagsOf(entry)
  db.run('UPDATE card_entries SET flags = ?, updated = ? WHERE id = ?', flags, entry.updatedAt, id)
  if (flags === before) return
  for (const { list } of listsOfEntry(entry)) db.run('UPDATE card_lists SET flags = ? WHERE list = ? AND entry = ?', flags, list, id)
  addToSizes(db, entry, before, flags)
  addWords(db, entry)
}

function removeEntry(db: Database, id: number, flags: number, content: Content): void {
  db.run('DELETE FROM card_entries WHERE id = ?', id)
  db.run('DELETE FROM card_contents WHERE id = ?', id)
  for (const { list } of listsOfEntry(content)) db.run('DELETE FROM card_lists WHERE list = ? AND entry = ?', list, id)
  addToSizes(db, content, flags, 0)
}

/** Counts an entry whose flags change. */
function addToSizes(db: Database, content: Content, before: number, after: number): void {
  const added = (tier: CardTier) => Number((after & tierBit(tier)) > 0) - Number((before & tierBit(tier)) > 0)
  const [ofPublic, ofAuthenticated] = [added('public'), added('authenticated')]
  if (ofPublic === 0 && ofAuthenticated === 0) return
  for (const key of keysOfEntry(content))
    db.run(
      `INSERT INTO card_sizes (key, public, authenticated) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET public = public + excluded.public, authenticated = authenticated + excluded.authenticated`,
      key,
      ofPublic,
      ofAuthenticated,
    )
}
