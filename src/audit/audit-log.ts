// The audit of one instance. Each instance is a writer with a chain of its own, so instances never wait for each other.
//
// Algorithm. A row is numbered when it is created, and linked LINK_AFTER_SECONDS later, when its commit has succeeded or failed for certain. Every
// LINK_MS the instance links its rows, renews its lease, and links the rows of writers whose lease has expired because they crashed. An
// instance that was paused for longer than its lease, and whose rows others have linked, renews the lease and continues. Every ANCHOR_MS the newest
// links are anchored in the trust log (anchors.ts).
import { digestOfJson } from '../credentials/jose/digest.js'
import { type Clock, repeat } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Storage } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { anchorLinks, lastAnchor } from './anchors.js'
import type { Audit, AuditDraft } from './audit.js'
import { firstUnlinkedRow, lastRow, linkRows } from './chain.js'
import { newHistory } from './history.js'
import { type AuditRow, type AuditStore, auditStore } from './store.js'

interface AuditDeps {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  readonly trustLog: Pick<TrustLog, 'commit' | 'clockFault' | 'epoch'>
  /** Names this instance. Unique among instances and starts. */
  readonly writer: string
}

export interface RunningAudit extends Audit {
  readonly store: AuditStore
  /** Links the rows of crashed writers, and starts to link rows every 5 s. */
  start(): Promise<void>
  /**
   * Links the remaining rows and gives up the lease. Does not anchor them, because the mirrors have disconnected and would miss the entry: another
   * instance, or the next one that starts, anchors them.
   */
  close(): Promise<void>
}

const LINK_AFTER_SECONDS = 10
const LINK_MS = 5000
const ANCHOR_MS = 60_000
const RENEWAL_SECONDS = 20
const LEASE_SECONDS = 60
/** While instances run and anchor, the rows of a crashed one are linked much sooner. */
const MAX_LATE_SECONDS = 600
const PAGE = 100

export function newAudit(deps: AuditDeps): RunningAudit {
  const { clock, writer, log, trustLog } = deps
  const store = auditStore(deps.storage)
  const closing = new AbortController()
  let nextNumber = 0
  /** Monotonic: a clock that is set forward must not link a row whose commit is still running. */
  const secondNow = () => Math.floor(clock.monotonicMs() / 1000)
  /** The first row of each second in which a row was created, as far as these rows are not linked yet. */
  let firstRows: { readonly second: number; readonly number: number; readonly createdAt: number }[] = []
  /** Times of rows never go back, also if the clock does, so that an export in the order of time misses none. */
  let latest = 0
  const timeNow = (): number => {
    latest = Math.max(latest, clock.now())
    return latest
  }
  let renewedAt = 0
  let anchoredAtMs = clock.monotonicMs()
  let linking: Promise<void> = Promise.resolve()

  const newRow = (draft: AuditDraft): AuditRow => {
    const { orgId, otherOrgId, ...rest } = draft
    const createdAt = timeNow()
    const number = nextNumber++
    const second = secondNow()
    if (firstRows.at(-1)?.second !== second) firstRows.push({ second, number, createdAt })
    return {
      // Ids sort by number, so that the rows of one writer are adjacent in the collection.
      id: `${writer} ${String(number).padStart(12, '0')}`,
      writer,
      number,
      createdAt,
      orgIds: otherOrgId === undefined || otherOrgId === orgId ? [orgId] : [orgId, otherOrgId],
      ...rest,
      facts: rest.facts && { ...rest.facts },
    }
  }
  /** Returns the time before which every row of this instance is linked. */
  const linkOwnRows = async (): Promise<number> => {
    const startedAt = timeNow()
    const lastSecond = secondNow() - LINK_AFTER_SECONDS
    const tooNew = firstRows.findIndex(({ second }) => second > lastSecond)
    const endNumber = tooNew === -1 ? nextNumber : (firstRows[tooNew]?.number ?? nextNumber)
    const settledUntil = tooNew === -1 ? startedAt : (firstRows[tooNew]?.createdAt ?? startedAt)
    await linkRows(store, writer, endNumber)
    firstRows = tooNew === -1 ? firstRows.filter(({ number }) => number >= endNumber) : firstRows.slice(tooNew)
    return settledUntil
  }
  const renewLease = async (settledUntil: number): Promise<void> => {
    const now = clock.now()
    if (Math.abs(now - renewedAt) < RENEWAL_SECONDS) return
    await store.writers.change(writer, {}, { lastSeen: now, settledUntil, hasUnlinkedRows: true })
    renewedAt = now
  }
  const anchorIfDue = async (): Promise<void> => {
    if (clock.monotonicMs() - anchoredAtMs < ANCHOR_MS) return
    anchoredAtMs = clock.monotonicMs()
    await anchorLinks(store, trustLog, clock.now())
  }
  const linkExpired = async (): Promise<void> => {
    const now = clock.now()
    const anchoredAt = (await lastAnchor(store, trustLog.epoch))?.createdAt ?? 0
    // An anchor in the future was written under a wrong clock
    const notBefore = anchoredAt > now ? 0 : anchoredAt - MAX_LATE_SECONDS
    await linkExpiredWriters(store, { lastSeen: now - LEASE_SECONDS, notBefore })
  }
  const linkPeriodically = (): Promise<void> =>
    repeat(clock, LINK_MS, closing.signal, async () => {
      // Under a wrong clock the lease would seem to last for years
      if (trustLog.clockFault() !== undefined) return
      await linkOwnRows()
        .then(renewLease)
        .then(linkExpired)
        .then(anchorIfDue)
        .catch((error: unknown) => log.warn('audit rows could not be linked; the next attempt is in 5 s', { error: String(error) }))
    })

  return {
    store,
    recording: (draft) => store.rows.inserting(newRow(draft)),
    recordingEnd: (draft, { ends, reason, note }) => {
      if (ends.length === 0) return [store.rows.inserting({ ...newRow(draft), ...(note !== undefined && { note }) })]
      const handles = ends.map(({ handle }) => handle)
      const row = { ...newRow(draft), endReason: reason, endsDigest: digestOfJson(handles), ...(note !== undefined && { note }) }
      const endedHandles = { id: row.id, orgIds: row.orgIds, handles, createdAt: row.createdAt }
      return [store.rows.inserting(row), store.endedHandles.inserting(endedHandles)]
    },
    history: (viewer) => newHistory(store, viewer),
    record: async (draft) => {
      await store.rows.insert(newRow(draft))
    },
    start: async () => {
      await linkExpired()
      renewedAt = clock.now()
      await store.writers.insert({ id: writer, lastSeen: renewedAt, settledUntil: timeNow(), hasUnlinkedRows: true })
      linking = linkPeriodically()
    },
    close: async () => {
      closing.abort()
      await linking
      try {
        await linkRows(store, writer, nextNumber)
        await store.writers.change(writer, {}, { hasUnlinkedRows: undefined })
      } catch (error) {
        // An unreachable store must not prevent the shutdown. Another instance links the rows when the lease has expired.
        log.warn('the last audit rows could not be linked; another instance will link them', { error: String(error) })
      }
    },
  }
}

/**
 * Links all rows of the writers that were last seen at `lastSeen` or before, and clears their `hasUnlinkedRows`. Rows from before `notBefore` are not
 * linked: when the chains were anchored then, they did not exist, so they were added to a finished chain. `audit.verify` finds rows without a link.
 */
async function linkExpiredWriters(
  store: AuditStore,
  { lastSeen, notBefore }: { readonly lastSeen: number; readonly notBefore: number },
): Promise<void> {
  // The index is ordered by lastSeen, and a linked writer leaves it: so the first page is always the next one.
  for (;;) {
    const { items } = await store.writers.find('unlinked', { where: { hasUnlinkedRows: true }, limit: PAGE })
    const expired = items.filter((writer) => writer.lastSeen <= lastSeen)
    for (const writer of expired) {
      const last = await lastRow(store, writer.id)
      const first = await firstUnlinkedRow(store, writer.id)
      if (last !== undefined && (first === undefined || first.createdAt >= notBefore)) await linkRows(store, writer.id, last.number + 1)
      await store.writers.change(writer.id, { lastSeen: writer.lastSeen }, { hasUnlinkedRows: undefined })
    }
    if (expired.length < PAGE) return
  }
}
