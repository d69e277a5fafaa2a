import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import type { Storage } from '../storage/storage.js'
import type { Audit, AuditDraft } from './audit.js'
import { lastRow, linkRows } from './chain.js'
import { type AuditRow, type AuditStore, auditStore } from './store.js'

export interface AuditDeps {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  /** Names this instance; no other, and no later start, has the same. */
  readonly writer: string
}

export interface RunningAudit extends Audit {
  readonly store: AuditStore
  /** Links what writers that are gone have left, and what this one writes; goes on doing both. */
  start(): Promise<void>
  close(): Promise<void>
}

/** A row is linked once it is so old that its commit has ended one way or the other. */
const SETTLE_SECONDS = 10
const LINK_MS = 5000
/** A writer says so often that it lives, and so long after the last time that it did not it is gone. */
const BEAT_SECONDS = 20
const ABANDONED_SECONDS = 60
const PAGE = 100

export function newAudit(deps: AuditDeps): RunningAudit {
  const { clock, writer, log } = deps
  const store = auditStore(deps.storage)
  const closing = new AbortController()
  /** Number handed out next, and the numbers handed out by moment. */
  let next = 0
  let marks: { readonly at: number; readonly n: number }[] = []
  let beatAt = 0
  let linking: Promise<void> = Promise.resolve()

  const rowOf = (draft: AuditDraft): AuditRow => {
    const { orgId, otherOrgId, ...rest } = draft
    const at = clock.now()
    const n = next++
    if (marks.at(-1)?.at !== at) marks.push({ at, n })
    return {
      // Rising, so that rows which are written together stand together
      id: `${writer} ${String(n).padStart(12, '0')}`,
      writer,
      n,
      at,
      orgs: otherOrgId === undefined || otherOrgId === orgId ? [orgId] : [orgId, otherOrgId],
      ...rest,
      facts: rest.facts && { ...rest.facts },
    }
  }
  const link = async (): Promise<void> => {
    const until = clock.now() - SETTLE_SECONDS
    const settled = marks.findIndex(({ at }) => at > until)
    const upTo = settled === -1 ? next : (marks[settled]?.n ?? next)
    await linkRows(store, writer, upTo)
    marks = settled === -1 ? [] : marks.slice(settled)
  }
  /** Open as well: an instance that was stopped for so long that others took it for gone goes on. */
  const beat = async (): Promise<void> => {
    const now = clock.now()
    if (Math.abs(now - beatAt) < BEAT_SECONDS) return
    await store.writers.change(writer, {}, { at: now, open: true })
    beatAt = now
  }
  const linkOften = async (): Promise<void> => {
    for (;;) {
      await clock.after(LINK_MS, closing.signal)
      if (closing.signal.aborted) return
      await link()
        .then(beat)
        .then(() => adopt(store, clock.now() - ABANDONED_SECONDS))
        .catch((error: unknown) => log.warn('audit rows are not linked yet', { error: String(error) }))
    }
  }

  return {
    store,
    recording: (draft) => store.rows.inserting(rowOf(draft)),
    record: async (draft) => {
      await store.rows.insert(rowOf(draft))
    },
    start: async () => {
      await adopt(store, clock.now() - ABANDONED_SECONDS)
      beatAt = clock.now()
      await store.writers.insert({ id: writer, at: beatAt, open: true })
      linking = linkOften()
    },
    close: async () => {
      closing.abort()
      await linking
      try {
        await linkRows(store, writer, next)
        await store.writers.change(writer, {}, { open: undefined })
      } catch (error) {
        // A store that is gone is no reason not to go; whoever has it next links the rest.
        log.warn('audit rows are left for others to link', { error: String(error) })
      }
    },
  }
}

/** Other writers that were not closed and are gone: what they have left is linked, once. */
async function adopt(store: AuditStore, until: number): Promise<void> {
  // Who was longest silent comes first, and leaves the list when it is linked: the first page is always the next one.
  for (;;) {
    const { items } = await store.writers.find('open', { where: { open: true }, limit: PAGE })
    const gone = items.filter(({ at }) => at <= until)
    for (const { id, at } of gone) {
      const last = await lastRow(store, id)
      if (last !== undefined) await linkRows(store, id, last.n + 1)
      await store.writers.change(id, { at }, { open: undefined })
    }
    if (gone.length < PAGE) return
  }
}
