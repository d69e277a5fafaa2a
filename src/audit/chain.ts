// The hash chain of one writer. Rows are numbered when they are created. A link covers a range of numbers, and holds the digest of the rows that
// exist in that range and the hash of the previous link: a row that is changed, removed, added or renumbered no longer matches its link.
//
// Cost: linking reads each row once, PAGE rows per link; verifying a link reads the link, the previous one, and its rows.
import { digestOfJson } from '../credentials/jose/digest.js'
import type { AuditLink, AuditRow, AuditStore } from './store.js'

const PAGE = 500

/** Links every row of `writer` with a number below `endNumber`. */
export async function linkRows(store: AuditStore, writer: string, endNumber: number): Promise<void> {
  for (;;) {
    const last = await lastLink(store, writer)
    const from = last === undefined ? 0 : last.to + 1
    if (from >= endNumber) return
    const rows = await rowsFrom(store, writer, from, endNumber)
    const to = rows.length < PAGE ? endNumber - 1 : (rows.at(-1)?.number ?? endNumber - 1)
    // If another instance links the same writer at the same time, one insert succeeds, and both continue from that link.
    await store.links.insert(newLink(last, writer, from, to, rows))
  }
}

/** Checks that a link exists, and that it matches its rows and the previous link. Undefined after the last link. */
export async function checkLink(
  store: AuditStore,
  writer: string,
  number: number,
): Promise<{ readonly matches: boolean; readonly rows: number } | undefined> {
  const [link, previous] = [await store.links.get(`${writer}:${number}`), await store.links.get(`${writer}:${number - 1}`)]
  if (link === undefined) return ((await lastLink(store, writer))?.number ?? -1) < number ? undefined : { matches: false, rows: 0 }
  const rows = await rowsFrom(store, writer, link.from, link.to + 1, link.count + 1)
  const expected = newLink(previous, writer, link.from, link.to, rows)
  const follows = link.from === (previous === undefined ? 0 : previous.to + 1)
  return { matches: expected.hash === link.hash && follows && (await haveEndedHandles(store, rows)), rows: rows.length }
}

/** True if each row that ended something has the list of handles that it ended. */
async function haveEndedHandles({ endedHandles }: AuditStore, rows: readonly AuditRow[]): Promise<boolean> {
  const ending = rows.filter(({ endsDigest }) => endsDigest !== undefined)
  const lists = await Promise.all(ending.map(({ id }) => endedHandles.get(id)))
  return ending.every(({ endsDigest }, i) => digestOfJson(lists[i]?.handles ?? []) === endsDigest)
}

export async function lastLink(store: AuditStore, writer: string): Promise<AuditLink | undefined> {
  return (await store.links.find('writer', { where: { writer }, order: 'down', limit: 1 })).items[0]
}

export async function lastRow(store: AuditStore, writer: string): Promise<AuditRow | undefined> {
  return (await store.rows.find('writer', { where: { writer }, order: 'down', limit: 1 })).items[0]
}

async function rowsFrom(store: AuditStore, writer: string, from: number, end: number, limit = PAGE): Promise<readonly AuditRow[]> {
  // The index position just before row `from`: numbers start at 0, and no id sorts after U+FFFF.
  const { items } = await store.rows.find('writer', { where: { writer }, limit, after: [from - 1, '\uffff'] })
  return items.filter((row) => row.number < end)
}

function newLink(previous: AuditLink | undefined, writer: string, from: number, to: number, rows: readonly AuditRow[]): AuditLink {
  const number = (previous?.number ?? -1) + 1
  const body = { writer, number, from, to, count: rows.length, digest: digestOfJson(rows), previousHash: previous?.hash ?? '' }
  return { id: `${writer}:${number}`, ...body, hash: digestOfJson(body), isUnanchored: true }
}
