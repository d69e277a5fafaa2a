// A log that moves to another store is sealed where it was by a last entry, and goes on from there where it is: one history, one epoch.
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import { silentLog } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import { newId } from '../../protocol/ids.js'
import type { Block, Entry } from '../../protocol/log/entry.js'
import type { LogPort } from '../../storage/storage.js'
import { newAppliedLog } from '../apply.js'
import { appendAlone, numbering } from '../block.js'
import { newClockSkewCheck } from '../clock-skew.js'

export interface SealDeps {
  readonly port: LogPort
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly random: Random
}

/** Refuses a log that was sealed and does not go on: what was decided since stands elsewhere. */
export async function requireUnsealed(port: LogPort): Promise<void> {
  const seal = sealOf(await port.head())
  if (seal === undefined) return
  refuse(
    'unavailable',
    `entry ${seal.seq} seals the log of this store: it was moved by credence admin copy. Serve the store that it was moved to; if the copy did not finish, run it again`,
  )
}

/** The entry that seals a log, where it is the last one. */
export function sealOf(head: Block | undefined): Entry | undefined {
  const last = head?.entries.at(-1)
  return last?.type === 'log.sealed' ? last : undefined
}

/** Seals the log, once; `digest` says for whom. Nobody may serve it meanwhile. */
export const sealLog = async (deps: SealDeps & { readonly digest: string }): Promise<Entry> =>
  sealOf(await deps.port.head()) ?? appendLast(deps, { type: 'log.sealed', digest: deps.digest })

/** Goes on after the seal, once: from then on the log may be served. */
export async function resumeLog(deps: SealDeps): Promise<Entry> {
  const head = await deps.port.head()
  const last = head?.entries.at(-1)
  if (last?.type === 'log.continued') return last
  return sealOf(head) ? appendLast(deps, { type: 'log.continued' }) : refuse('conflict', 'the log that is to go on has no seal at its end')
}

async function appendLast({ port, clock, random }: SealDeps, what: Pick<Entry, 'type' | 'digest'>): Promise<Entry> {
  const head = await port.head()
  if (head === undefined) return refuse('unavailable', 'the store has no log')
  const applied = newAppliedLog({ port, log: silentLog })
  await applied.readTo(head)
  await newClockSkewCheck({ port, clock, log: silentLog })()
  const entry = numbering(applied, clock)({ id: newId(random, 'ent'), ...what, ends: [] })
  await appendAlone(port, applied, 'copy', [entry])
  return entry
}
