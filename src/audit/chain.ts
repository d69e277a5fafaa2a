// The chain of one writer: rows are numbered as they are handed out; a link covers a stretch of numbers, with the digest of
// the rows that stand in it and the hash of the link before. A row that is changed, removed, added or reordered breaks its link.
import { digestOfJson } from '../credentials/jose/digest.js'
import type { AuditLink, AuditRow, AuditStore } from './store.js'

const PAGE = 500

/** Links every row of `writer` that was numbered below `upTo`. */
export async function linkRows(store: AuditStore, writer: string, upTo: number): Promise<void> {
  for (;;) {
    const last = await lastLink(store, writer)
    const from = last === undefined ? 0 : last.to + 1
    if (from >= upTo) return
    const rows = await rowsFrom(store, writer, from, upTo)
    const to = rows.length < PAGE ? upTo - 1 : (rows.at(-1)?.n ?? upTo - 1)
    // Of two who link one writer the first wins; the other goes on from its link.
    await store.links.insert(newLink(last, writer, from, to, rows))
  }
}

/** What is wrong with a writer's chain: nothing, or the first link that its rows do not fit. */
export async function verifyChain(store: AuditStore, writer: string): Promise<{ readonly links: number; readonly broken?: number }> {
  for (let k = 0; ; k++) {
    const checked = await checkLink(store, writer, k)
    if (checked === undefined) return { links: k }
    if (!checked.fits) return { links: k, broken: k }
  }
}

/** Whether link `k` is there and fits its rows and the link before; undefined behind the last one. */
export async function checkLink(
  store: AuditStore,
  writer: string,
  k: number,
): Promise<{ readonly fits: boolean; readonly rows: number } | undefined> {
  const [link, prev] = [await store.links.get(`${writer}:${k}`), await store.links.get(`${writer}:${k - 1}`)]
  if (link === undefined) return ((await lastLink(store, writer))?.k ?? -1) < k ? undefined : { fits: false, rows: 0 }
  const rows = await rowsFrom(store, writer, link.from, link.to + 1, link.count + 1)
  const expected = newLink(prev, writer, link.from, link.to, rows)
  return { fits: expected.hash === link.hash && link.from === (prev === undefined ? 0 : prev.to + 1), rows: rows.length }
}

export async function lastLink(store: AuditStore, writer: string): Promise<AuditLink | undefined> {
  return (await store.links.find('writer', { where: { writer }, order: 'down', limit: 1 })).items[0]
}

export async function lastRow(store: AuditStore, writer: string): Promise<AuditRow | undefined> {
  return (await store.rows.find('writer', { where: { writer }, order: 'down', limit: 1 })).items[0]
}

async function rowsFrom(store: AuditStore, writer: string, from: number, below: number, limit = PAGE): Promise<readonly AuditRow[]> {
  // Numbers begin at 0 and keys are not empty: the place just before `from`.
  const { items } = await store.rows.find('writer', { where: { writer }, limit, after: [from - 1, '\uffff'] })
  return items.filter((row) => row.n < below)
}

function newLink(prev: AuditLink | undefined, writer: string, from: number, to: number, rows: readonly AuditRow[]): AuditLink {
  const body = { writer, k: (prev?.k ?? -1) + 1, from, to, count: rows.length, digest: digestOfJson(rows), prev: prev?.hash ?? '' }
  return { id: `${writer}:${body.k}`, ...body, hash: digestOfJson(body) }
}
