import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newEs256Signer } from '../../src/credentials/jose/sign.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'
import { type Handle, type HandleKind, newHandle } from '../../src/protocol/handles.js'
import { type EntryId, newId } from '../../src/protocol/ids.js'
import { type Ending, type EntryType, positionOf } from '../../src/protocol/log/entry.js'
import type { Barrier } from '../../src/protocol/standing.js'
import { openSqlite } from '../../src/storage/sqlite/open.js'
import type { Storage } from '../../src/storage/storage.js'
import { newTrustLog, type TrustLogDeps } from '../../src/trust-log/new-trust-log.js'
import type { ServedTrustLog } from '../../src/trust-log/trust-log.js'
import { type SetClock, setClock } from '../set-clock.js'
import { type Gate, gatedStorage } from './gated-storage.js'

export interface Logs extends AsyncDisposable {
  /** The file of the store. */
  readonly file: string
  readonly storage: Storage
  readonly clock: SetClock
  /** Opens another trust log over the store. One with `crashes` is not closed at the end of the test. */
  open(options?: Partial<TrustLogDeps> & { readonly gate?: Gate; readonly crashes?: boolean }): Promise<ServedTrustLog>
}

/** One store, over which a test opens several trust logs. Each stands for an instance. */
export async function openLogs(): Promise<Logs> {
  const folder = await mkdtemp(join(tmpdir(), 'credence-'))
  const clock = setClock()
  const file = join(folder, 'store.db')
  const storage = await openSqlite({ file, clock })
  const opened: ServedTrustLog[] = []
  const logSigner = newEs256Signer()
  return {
    file,
    storage,
    clock,
    open: async ({ gate, crashes = false, ...options } = {}) => {
      const log = newTrustLog({
        storage: gate ? gatedStorage(storage, gate) : storage,
        clock,
        random: systemRandom,
        log: silentLog,
        writer: systemRandom.token(8),
        name: 'registry.test',
        logSigners: async () => [await logSigner],
        ...options,
      })
      await log.start()
      if (!crashes) opened.push(log)
      return log
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((log) => log.close()))
      await storage.close()
      await rm(folder, { recursive: true })
    },
  }
}

export const aHandle = (kind: HandleKind = 'tok'): Handle => newHandle(systemRandom, kind)
/** A barrier for callers whose requests decide nothing. */
export const aBarrier: Barrier = { now: 0, seq: 0, position: positionOf(aHandle('epo'), 0), startedMs: 0 }
export const anEntryId = () => newId(systemRandom, 'ent')

/** Ends handles with a log entry that belongs to no record. */
export const end = (log: ServedTrustLog, ...ends: readonly (Handle | Ending)[]) =>
  log.end({ type: 'token.revoked', ends: ends.map((ending) => (typeof ending === 'string' ? { handle: ending } : ending)), operations: [] })

/** Commits an entry without a record. */
export const write = (
  log: ServedTrustLog,
  {
    dependsOn = [],
    id = anEntryId(),
    type = 'introduction.granted',
  }: { dependsOn?: readonly Handle[]; id?: EntryId; type?: EntryType } = {},
) => log.commit({ id, type, dependsOn, operations: [] })

/** Restore options for a log without records. The restore may quarantine. */
export const noRecords = {
  mayQuarantine: true,
  replayRevocations: async (): Promise<void> => undefined,
  handlesOfRecords: async () => [],
  reissueKeyEntries: async () => [],
}
