import type { AuditedLog } from '../../audit/retention.js'
import {
  AUDIT_ANCHORS,
  AUDIT_ENDINGS,
  AUDIT_LINKS,
  AUDIT_RETENTION,
  AUDIT_ROWS,
  AUDIT_WRITERS,
  type AuditStore,
} from '../../audit/store.js'
import { verifyPart } from '../../audit/verify.js'
import type { StoreFault } from '../../storage/bulk.js'
import { anySpecs } from '../../storage/storage.js'

/** The collections that `auditFaults` reads. */
export const AUDIT_COLLECTIONS = anySpecs([AUDIT_ROWS, AUDIT_ENDINGS, AUDIT_LINKS, AUDIT_ANCHORS, AUDIT_WRITERS, AUDIT_RETENTION])

/** Walks the hash chain of every writer, and compares the anchors with the log. `onRows` gets the number of rows that were verified. */
export async function* auditFaults(store: AuditStore, log: AuditedLog, onRows: (rows: number) => void): AsyncGenerator<StoreFault> {
  const fault = (where: string, text: string): StoreFault => ({ part: 'audit', where, text, isDerived: false })
  let cursor: string | undefined
  do {
    const part = await verifyPart(store, log, cursor)
    for (const { writer, link, isRemovedEarly } of part.broken)
      yield fault(`link ${link} of ${writer}`, isRemovedEarly ? REMOVED_EARLY : CHANGED)
    for (const number of part.brokenAnchors) yield fault(`anchor ${number}`, 'it does not match the log and the chains')
    onRows(part.rows)
    cursor = part.cursor
  } while (cursor !== undefined)
}

const CHANGED = 'one of its rows was changed, removed or added. The rest of this chain is not checked'
const REMOVED_EARLY = 'rows are missing that no retention has reached. The rest of this chain is not checked'
