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
  /** Links what writers that are gone have left, then what this one writes. */
  start(): Promise<void>
  close(): Promise<void>
}

/** A row is linked once it is so old that its commit has ended one way or the other. */
const SETTLE_SECONDS = 10
const LINK_MS = 5000
/** So long without a row, a writer that was not closed is gone. */
const ABANDONED_SECONDS = 60

export function newAudit(deps: AuditDeps): RunningAudit {
  const { clock, writer, log } = deps
  const store = auditStore(deps.storage)
  const closing = new AbortController()
  /** Number handed out next, and the numbers handed out by moment. */
  let next = 0
  let marks: { readonly at: number; readonly n: number }[] = []
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
  const linkOften = async (): Promise<void> => {
    for (;;) {
      await clock.after(LINK_MS, closing.signal)
      if (closing.signal.aborted) return
      await link().catch((error: unknown) => log.warn('audit rows are not linked yet', { error: String(error) }))
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
      await store.writers.insert({ id: writer, at: clock.now(), open: true })
      linking = linkOften()
    },
    close: async () => {
      closing.abort()
      await linking
      try {
        await linkRows(store, writer, next)
        await store.writers.change(writer, {}, { open: undefined })
      } catch (error) {
        // A store that is gone is no reason not to go; whoever starts next links the rest.
        log.warn('audit rows are left for the next start to link', { error: String(error) })
      }
    },
  }
}

/** Other writers that were not closed: what they have left is linked. */
async function adopt(store: AuditStore, until: number): Promise<void> {
  const { items } = await store.writers.find('open', { where: { open: true }, limit: 100 })
  for (const { id } of items) {
    const last = await lastRow(store, id)
    if (last !== undefined && last.at <= until) await linkRows(store, id, last.n + 1)
  }
}
