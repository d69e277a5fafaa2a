// `credence admin check`: examines a whole store, and says what is damaged and what to do. Nothing is changed.
//
// A SQLite file is examined completely: the store of a registry that is stopped, or a backup. Over MongoDB, instances may run; the log, the documents
// the keys and the audit chains are examined, and MongoDB's own `validate` examines its indexes.
// Cost: everything is read once, audit rows and index rows of a file twice, and blocks of the log for each page of registered keys. Memory holds one page, the ended handles, and the owner of each registered key.
import { auditStore } from '../../audit/store.js'
import { DamagedStore, refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { connectToSocket } from '../../lib/io/unix-socket.js'
import type { Log } from '../../lib/log.js'
import type { Handle } from '../../protocol/handles.js'
import type { EntryId } from '../../protocol/ids.js'
import { type Position, positionOf } from '../../protocol/log/entry.js'
import { backupSocket } from '../../server/backup-socket.js'
import type { Config } from '../../server/config.js'
import { openStore, requireStoreFile, storePath } from '../../server/open-store.js'
import type { BulkReader, StoreFault } from '../../storage/bulk.js'
import { isSqliteError } from '../../storage/sqlite/database.js'
import { openStoredFile } from '../../storage/sqlite/open.js'
import type { Doc, LogPort, Spec, Storage } from '../../storage/storage.js'
import { toIso } from '../../trust-log/clock-skew.js'
import { COLLECTIONS } from '../collections.js'
import { AUDIT_COLLECTIONS, auditFaults } from './audit.js'
import { documentFaults } from './documents.js'
import { logFaults } from './log.js'
import { findEntries } from './log-entries.js'
import { registeredKeyFaults } from './registered-keys.js'

export interface CheckResult {
  readonly isSound: boolean
  /** The last entry of the log that could be checked, and its log time (ISO 8601). */
  readonly position?: Position
  readonly time?: string
  readonly checked: { readonly blocks: number; readonly documents: number; readonly auditRows: number }
  /** At most MAX_FAULTS of them. */
  readonly faults: readonly StoreFault[]
  readonly faultsInAll: number
  /** What this command cannot check. */
  readonly notChecked: readonly string[]
}

interface CheckOptions {
  readonly config: Config
  /** A backup, in place of the store of the configuration. */
  readonly file?: string | undefined
  readonly log: Log
  readonly onProgress: (progress: { readonly step: string; readonly done: number }) => void
}

const MAX_FAULTS = 1000
/** How often progress is reported. */
const PROGRESS = 10_000

export async function checkStore({ config, file, log, onProgress }: CheckOptions): Promise<CheckResult> {
  if (file === undefined && config.store !== undefined) {
    const storage = await openStore(config, log, { isLongRunning: true })
    try {
      return await check(
        {
          ...storage,
          hasCollection: () => true,
          faults: () => [],
          notChecked: ['index fields, counters and search rows: run validate in mongosh'],
        },
        onProgress,
      )
    } finally {
      await storage.close()
    }
  }
  if (file === undefined) await requireStopped(config)
  const store = openStoredFile(file ?? storePath(config))
  try {
    return await check({ ...store, notChecked: [] }, onProgress)
  } finally {
    store.close()
  }
}

async function requireStopped(config: Config): Promise<void> {
  requireStoreFile(config)
  const registry = await connectToSocket(backupSocket(config.dataDirectory))
  if (registry === undefined) return
  registry.destroy()
  refuse(
    'unavailable',
    'a registry runs on this store: make a backup and check that (credence admin backup <file>; credence admin check <file>)',
  )
}

interface Examined {
  readonly log: LogPort
  readonly bulk: BulkReader
  readonly collection: Storage['collection']
  readonly hasCollection: (spec: Spec<Doc>) => boolean
  readonly faults: ReturnType<typeof openStoredFile>['faults']
  readonly notChecked: readonly string[]
}

async function check(examined: Examined, onProgress: CheckOptions['onProgress']): Promise<CheckResult> {
  const { log, bulk, faults } = examined
  const found: StoreFault[] = []
  let faultsInAll = 0
  const collect = async (part: StoreFault['part'], source: AsyncIterable<StoreFault> | Iterable<StoreFault>): Promise<void> => {
    const add = (fault: StoreFault) => {
      faultsInAll++
      if (found.length < MAX_FAULTS) found.push(fault)
    }
    try {
      for await (const fault of source) add(fault)
    } catch (error) {
      if (!isSqliteError(error) && !(error instanceof DamagedStore)) throw error
      add({ part, where: 'the file', text: `the rest of this part cannot be read: ${String(error)}`, isDerived: false })
    }
  }
  const progress = (step: string) => {
    let done = 0
    return (more = 1) => {
      const before = done
      done += more
      if (Math.floor(done / PROGRESS) > Math.floor(before / PROGRESS)) onProgress({ step, done })
    }
  }
  let end: { readonly epoch: Handle; readonly seq: number; readonly time: number } | undefined
  const checked = { blocks: 0, documents: 0, auditRows: 0 }
  const onBlock = progress('log')
  await collect(
    'log',
    logFaults(log, ({ epoch, seq, time }) => {
      checked.blocks++
      onBlock()
      if (epoch !== undefined) end = { epoch, seq, time }
    }),
  )
  const stored = await bulk.collections()
  const specs = COLLECTIONS.filter(({ name }) => stored.includes(name))
  const onDocuments = progress('documents')
  for (const spec of specs)
    await collect(
      'documents',
      documentFaults(bulk, spec, (count) => {
        checked.documents += count
        onDocuments(count)
      }),
    )
  onProgress({ step: 'keys', done: 0 })
  await collect('keys', registeredKeyFaults(bulk, log))
  const hasAudit = AUDIT_COLLECTIONS.every(examined.hasCollection)
  const onRows = progress('audit rows')
  if (hasAudit && end !== undefined) {
    const { epoch, time } = end
    const find = async (id: EntryId) => (await findEntries(log, [id])).get(id)
    // Retention follows the later of both, too
    const now = () => Math.max(time, systemClock.now())
    await collect(
      'audit',
      auditFaults(auditStore(examined), { find, epoch, now }, (rows) => {
        checked.auditRows += rows
        onRows(rows)
      }),
    )
  }
  onProgress({ step: 'indexes', done: 0 })
  for (const [part, source] of faults(specs)) await collect(part, source)
  const notChecked = [
    ...examined.notChecked,
    ...(hasAudit ? [] : ['the audit chains: another release has made their indexes; start this release once']),
    ...stored
      .filter((name) => !COLLECTIONS.some((spec) => spec.name === name))
      .map((name) => `collection ${name}, which this release does not know`),
  ]
  const last = end && { position: positionOf(end.epoch, end.seq), time: toIso(end.time) }
  return { isSound: faultsInAll === 0, ...last, checked, faults: found, faultsInAll, notChecked }
}
