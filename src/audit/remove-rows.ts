// Removes the rows of organisations that have set a retention. A row that two organisations may read is removed once both have.
//
// Algorithm. The rows of an organisation are examined in the order of time, from the last position on, up to midnight before the retention. A row is
// removed with its list of ended handles, in one commit with its link, which keeps its digest (chain.ts). Only links that are anchored lose rows, and
// links of earlier builds, which have no digest of each row, keep theirs.
// Cost: each row is read once more, and each link once for every BATCH rows. One call removes at most BATCH * MAX_BATCHES rows of an organisation.
import type { Random } from '../lib/random.js'
import type { OrgId } from '../protocol/ids.js'
import type { Cursor, Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { Audit } from './audit.js'
import { coversRows, lastLink, removedForm, rowsOfLink } from './chain.js'
import { type AuditedLog, anchorAgain, cutoffOf, findRetention } from './retention.js'
import type { AuditLink, AuditRow, AuditStore } from './store.js'

interface RemoveRowsDeps {
  readonly audit: Pick<Audit, 'record'> & { readonly store: AuditStore }
  readonly storage: Pick<Storage, 'commit'>
  readonly random: Pick<Random, 'token'>
  readonly trustLog: AuditedLog & Pick<TrustLog, 'commit'>
}

const BATCH = 100
const MAX_BATCHES = 50

/** Removes rows that are past the retention of their organisations at `now`. Called by a timer. */
export async function removeExpiredRows(deps: RemoveRowsDeps, now: number): Promise<void> {
  const { retention } = deps.audit.store
  for (let after: Cursor | undefined; ; ) {
    const page = await retention.find('organisation', { where: {}, limit: BATCH, ...(after && { after }) })
    for (const { orgId } of page.items) await removeRowsOf(deps, orgId, now)
    if (page.next === undefined) return
    after = page.next
  }
}

async function removeRowsOf(deps: RemoveRowsDeps, orgId: OrgId, now: number): Promise<void> {
  const { store } = deps.audit
  const retention = await findRetention(store, deps.trustLog, orgId)
  if (retention && retention.epoch !== deps.trustLog.epoch) return anchorAgain(deps, retention)
  const cutoff = retention && cutoffOf(retention, now)
  if (cutoff === undefined || retention?.setBy === undefined) return
  const { setBy } = retention
  let position = retention.position
  let removed = 0
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const after: Cursor | undefined = position && [position.createdAt, position.id]
    const page = await store.rows.find('organisation', { where: { orgIds: orgId }, limit: BATCH, ...(after && { after }) })
    const due = page.items.filter(({ createdAt }) => createdAt < cutoff)
    const last = due.at(-1)
    if (last === undefined) break
    const outcome = await removeRows(deps, due, now)
    removed += outcome.removed
    if (!outcome.isDone) break
    position = { createdAt: last.createdAt, id: last.id }
    if (due.length < BATCH) break
  }
  if (position !== retention.position) await store.retention.change(orgId, { salt: retention.salt ?? null }, { position })
  if (removed > 0)
    await deps.audit.record({ orgId, actor: setBy, action: 'audit.setRetention', outcome: 'done', subject: orgId, facts: { removed } })
}

/** `isDone` is false if a row must be examined again: its link is not anchored yet, or another instance removes rows of it. */
async function removeRows(
  { audit: { store }, storage, trustLog }: RemoveRowsDeps,
  rows: readonly AuditRow[],
  now: number,
): Promise<{ readonly removed: number; readonly isDone: boolean }> {
  const isPast = await pastRetention(store, trustLog, rows, now)
  const byLink = new Map<string, { readonly link: AuditLink; readonly rows: AuditRow[] }>()
  let link: AuditLink | undefined
  for (const row of rows.filter(isPast)) {
    if (link === undefined || link.writer !== row.writer || row.number < link.from || row.number > link.to) link = await linkOf(store, row)
    if (link?.isUnanchored === true) return { removed: 0, isDone: false }
    // A row that its writer has not linked is one that was added later: it is kept, for audit.verify to report
    if (link === undefined) continue
    byLink.set(link.id, { link, rows: [...(byLink.get(link.id)?.rows ?? []), row] })
  }
  let removed = 0
  for (const group of byLink.values()) {
    if (!coversEachRow(group.link, await rowsOfLink(store, group.link))) continue
    const ended = group.rows.filter(({ endsDigest }) => endsDigest !== undefined)
    const lists = (await Promise.all(ended.map(({ id }) => store.endedHandles.get(id)))).filter((list) => list !== undefined)
    const kept = [...(group.link.removed ?? []), ...group.rows.map(removedForm)]
    const { ok } = await storage.commit([
      store.links.changing(
        group.link.id,
        { removedCount: group.link.removedCount ?? null, isUnanchored: null },
        { removed: kept, removedCount: kept.length },
      ),
      ...group.rows.map(({ id }) => store.rows.taking(id, {})),
      ...lists.map(({ id }) => store.endedHandles.taking(id, {})),
    ])
    if (!ok) return { removed, isDone: false }
    removed += group.rows.length
  }
  return { removed, isDone: true }
}

/** False for a link of an earlier build, and for one that does not match its rows: nothing of it is removed. */
const coversEachRow = (link: AuditLink, rows: readonly AuditRow[]): boolean =>
  coversRows({ ...link, removed: [...(link.removed ?? []), ...rows.map(removedForm)] }, [])

/** The rows that are past the retention of all their organisations. */
async function pastRetention(
  store: AuditStore,
  log: RemoveRowsDeps['trustLog'],
  rows: readonly AuditRow[],
  now: number,
): Promise<(row: AuditRow) => boolean> {
  const orgIds = [...new Set(rows.flatMap((row) => row.orgIds))]
  const found = await Promise.all(orgIds.map((orgId) => findRetention(store, log, orgId)))
  const before = new Map<OrgId, number>()
  for (const one of found) if (one) before.set(one.orgId, cutoffOf(one, now) ?? 0)
  return ({ orgIds: concerned, createdAt }) => concerned.every((orgId) => createdAt < (before.get(orgId) ?? 0))
}

/** Finds the link that covers a row. Links of a writer cover consecutive ranges of numbers. */
async function linkOf(store: AuditStore, { writer, number }: AuditRow): Promise<AuditLink | undefined> {
  let [low, high] = [0, (await lastLink(store, writer))?.number ?? -1]
  while (low <= high) {
    const middle = Math.floor((low + high) / 2)
    const link = await store.links.get(`${writer}:${middle}`)
    if (link === undefined) return undefined
    if (number >= link.from && number <= link.to) return link
    if (number < link.from) high = middle - 1
    else low = middle + 1
  }
  return undefined
}
