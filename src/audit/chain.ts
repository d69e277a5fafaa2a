// The hash chain of one writer. Rows are numbered when they are created. A link covers a range of numbers, and holds the digest of the rows that
// exist in that range and the hash of the previous link: a row that is changed, removed, added or renumbered no longer matches its link. The digest of a
// link covers a digest of each row, so that retention (remove-rows.ts) can remove a row, keep its digest, and leave the others verifiable.
//
// Cost: linking reads each row once, PAGE rows per link; verifying a link reads the link, the previous one, and its rows.
import { digestOfJson } from '../credentials/jose/digest.js'
import { type AuditedLog, findRetention, removableBefore } from './retention.js'
import type { AuditLink, AuditRow, AuditStore, RemovedRow } from './store.js'

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

interface CheckedLink {
  /** `changed`: the link does not match its rows or the previous link. `removed`: rows are missing that no retention has reached. */
  readonly outcome: 'intact' | 'changed' | 'removed'
  readonly rows: number
  readonly removed: number
}

/** Checks that a link exists, that it matches its rows and the previous link, and that retention has removed the rows that are missing. Undefined after the last link. */
export async function checkLink(
  store: AuditStore,
  log: AuditedLog,
  { writer, link: number }: { readonly writer: string; readonly link: number },
): Promise<CheckedLink | undefined> {
  const [link, previous] = [await store.links.get(`${writer}:${number}`), await store.links.get(`${writer}:${number - 1}`)]
  if (link === undefined)
    return ((await lastLink(store, writer))?.number ?? -1) < number ? undefined : { outcome: 'changed', rows: 0, removed: 0 }
  const rows = await rowsOfLink(store, link)
  const { removed = [] } = link
  const follows = link.from === (previous === undefined ? 0 : previous.to + 1)
  const matches =
    follows &&
    hashOf({ ...link, writer, number, previousHash: previous?.hash ?? '' }) === link.hash &&
    coversRows(link, rows) &&
    (await isInOrderOfTime(store, link, { previous, rows })) &&
    (await haveEndedHandles(store, rows))
  const outcome = !matches ? 'changed' : (await mayBeRemoved(store, log, removed)) ? 'intact' : 'removed'
  return { outcome, rows: rows.length, removed: removed.length }
}

/** The rows of a link that are stored; one more than the link covers shows that a row was added. */
export const rowsOfLink = (store: AuditStore, { writer, from, to, count }: AuditLink): Promise<readonly AuditRow[]> =>
  rowsFrom(store, writer, from, to + 1, count + 1)

/** True if the link covers exactly these rows and those that it names as removed. */
export function coversRows({ digest, count, removed = [] }: AuditLink, rows: readonly AuditRow[]): boolean {
  if (rows.length + removed.length !== count) return false
  const all = [...rows.map(removedForm), ...removed].sort((a, b) => a.number - b.number)
  // Links of earlier builds cover the list of rows as a whole
  return digest === digestOfRows(all) || (removed.length === 0 && digest === digestOfJson(rows))
}

/** The rows of a writer have rising times, so one that was added later with an earlier time is noticed. */
async function isInOrderOfTime(
  { rows }: AuditStore,
  { writer, from, removed = [] }: AuditLink,
  { previous, rows: own }: { readonly previous: AuditLink | undefined; readonly rows: readonly AuditRow[] },
): Promise<boolean> {
  const before = (await rows.find('writer', { where: { writer }, order: 'down', limit: 1, after: [from, ''] })).items
  const times = [...own, ...removed].sort((a, b) => a.number - b.number).map(({ createdAt }) => createdAt)
  const start = Math.max(0, ...[...before, ...(previous?.removed ?? [])].map(({ createdAt }) => createdAt))
  return times.every((time, i) => time >= (times[i - 1] ?? start))
}

/** The part of a row that stays when the row is removed. */
export const removedForm = (row: AuditRow): RemovedRow => ({
  number: row.number,
  createdAt: row.createdAt,
  orgIds: row.orgIds,
  digest: digestOfJson(row),
})

const digestOfRows = (rows: readonly RemovedRow[]): string => digestOfJson(rows.map((row) => digestOfJson(row)))

/** True if the retention of every organisation that a removed row concerned has reached the time of the row. */
async function mayBeRemoved(store: AuditStore, log: AuditedLog, removed: readonly RemovedRow[]): Promise<boolean> {
  const orgIds = [...new Set(removed.flatMap((row) => row.orgIds))]
  const found = await Promise.all(orgIds.map((orgId) => findRetention(store, log, orgId)))
  const before = new Map(orgIds.map((orgId, i) => [orgId, removableBefore(found[i], log.now())]))
  return removed.every((row) => row.orgIds.every((orgId) => row.createdAt < (before.get(orgId) ?? 0)))
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

/** The first row of a writer that no link covers. */
export const firstUnlinkedRow = async (store: AuditStore, writer: string): Promise<AuditRow | undefined> =>
  (await rowsFrom(store, writer, ((await lastLink(store, writer))?.to ?? -1) + 1, Number.POSITIVE_INFINITY, 1))[0]

async function rowsFrom(store: AuditStore, writer: string, from: number, end: number, limit = PAGE): Promise<readonly AuditRow[]> {
  // The index position just before row `from`: numbers start at 0, and no id sorts after U+FFFF.
  const { items } = await store.rows.find('writer', { where: { writer }, limit, after: [from - 1, '\uffff'] })
  return items.filter((row) => row.number < end)
}

function newLink(previous: AuditLink | undefined, writer: string, from: number, to: number, rows: readonly AuditRow[]): AuditLink {
  const number = (previous?.number ?? -1) + 1
  const digest = digestOfRows(rows.map(removedForm))
  const body = { writer, number, from, to, count: rows.length, digest, previousHash: previous?.hash ?? '' }
  return { id: `${writer}:${number}`, ...body, hash: hashOf(body), isUnanchored: true, ...(rows.length > 0 && { isUncounted: true }) }
}

const hashOf = ({ writer, number, from, to, count, digest, previousHash }: Omit<AuditLink, 'id' | 'hash'>): string =>
  digestOfJson({ writer, number, from, to, count, digest, previousHash })
