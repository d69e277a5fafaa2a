// Moves a log to another store within one epoch: a last entry freezes the log in the source (`admin dump --seal`), and the next entry resumes it in the
// target (`admin load`).
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { silentLog } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import { newId } from '../../protocol/ids.js'
import type { Block, Entry } from '../../protocol/log/entry.js'
import type { LogPort } from '../../storage/storage.js'
import { newAppliedLog } from '../apply.js'
import { appendExclusively, numbering } from '../block.js'
import { newClockSkewCheck } from '../clock-skew.js'

interface FreezeDeps {
  readonly port: LogPort
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly random: Random
}

/** Refuses to serve a frozen log: the store that resumed it may have revoked more since. */
export async function requireNotFrozen(port: LogPort): Promise<void> {
  const frozen = freezeEntryOf(await port.head())
  if (frozen === undefined) return
  refuse(
    'unavailable',
    `entry ${frozen.seq} freezes the log of this store: it was dumped with --seal, to move the registry. Load the dump into an empty store (credence admin load) and serve that store`,
  )
}

/** The entry that freezes the log, or undefined if the log is not frozen or has resumed. */
export function freezeEntryOf(head: Block | undefined): Entry | undefined {
  const last = head?.entries.at(-1)
  return last?.type === 'log.frozen' ? last : undefined
}

/** Freezes the log. Returns the existing entry if the log is frozen. No registry may run on the store. */
export const freezeLog = async (deps: FreezeDeps): Promise<Entry> => freezeEntryOf(await deps.port.head()) ?? appendLast(deps, 'log.frozen')

/** Resumes a frozen log, which may be served from then on. Returns the existing entry if the log has just resumed. */
export async function resumeLog(deps: FreezeDeps): Promise<Entry> {
  const head = await deps.port.head()
  const last = head?.entries.at(-1)
  if (last?.type === 'log.resumed') return last
  return freezeEntryOf(head)
    ? appendLast(deps, 'log.resumed')
    : refuse('conflict', 'the log cannot resume, because its last entry does not freeze it')
}

async function appendLast({ port, clock, random }: FreezeDeps, type: 'log.frozen' | 'log.resumed'): Promise<Entry> {
  const head = await port.head()
  if (head === undefined) return refuse('unavailable', 'the store has no log')
  const applied = newAppliedLog({ port, log: silentLog })
  await applied.readTo(head)
  await newClockSkewCheck({ port, clock, log: silentLog })()
  const entry = numbering(applied, clock)({ id: newId(random, 'ent'), type, ends: [] })
  await appendExclusively(port, applied, 'move', [entry])
  return entry
}
