// After a backup was put back: a new epoch, in which nothing that was issued before counts, and nothing that was ended since the backup returns.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import { type Handle, isVersion, newHandle } from '../../protocol/handles.js'
import { newId } from '../../protocol/ids.js'
import type { Block, Ending, Entry, EntryType, Proposal } from '../../protocol/log/entry.js'
import type { LogPort } from '../../storage/storage.js'
import { newAppliedLog } from '../apply.js'
import { appendAlone, endingAll, numbering } from '../block.js'
import { newClockSkewCheck } from '../clock-skew.js'
import { leafOfEntry } from '../proofs/leaf.js'
import { hashAt, type WitnessStore } from '../witness/witness.js'

export interface RestoreDeps {
  readonly port: LogPort
  readonly witness: WitnessStore
  /** Entries that a mirror has kept, in order. */
  readonly mirror: readonly Entry[]
  /** Whether everything that lasts may be held, where endings may be missing. Without, that is refused and nothing is written. */
  readonly mayHold: boolean
  /** Told what the mirror has ended and the backup's records do not know, before the store may be served; after an interruption once more. */
  readonly recordMerged: (merged: Merged) => Promise<void>
  /** What the new epoch tells again of these keys (`key:`), which stand. */
  readonly restateKeys: (standing: ReadonlySet<Handle>) => Promise<readonly Proposal[]>
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly random: Random
  readonly log: Log
}

/** What the backup lost: each handle, and the last entry that ended it; of an agent the one that ended it for ever, which a suspension at the same moment may follow. */
export type Merged = ReadonlyMap<Handle, Pick<Entry, 'type' | 'begins'>>

export interface Restored {
  readonly epoch: Handle
  /** Entries of the mirror that the backup did not have and that ended something. */
  readonly merged: number
  /** False where endings may be missing: then `held` handles were ended, for a member to confirm anew. */
  readonly isComplete: boolean
  readonly held: number
}

/** What lasts, and what it is called when it is held: each kind is confirmed anew by its own door. */
const HELD: readonly (readonly [prefix: string, type: EntryType])[] = [
  ['agt:', 'agent.suspended'],
  ['mem:', 'member.ended'],
  ['key:', 'key.ended'],
  ['int:', 'introduction.ended'],
  ['tsk:', 'task.ended'],
]
const FOR_EVER: EntryType = 'agent.ended'
const PAGE = 256
const IF_MEANT = 'If that is meant, run it with --hold'
/** Writes what the backup lost. Until an epoch has begun after it, nobody may serve the store. */
const MERGER = 'restoring'
/** Writes all of the new epoch's beginning but its end: served before that, what the backup names would come back once it is forgotten. */
const UNFINISHED = 'restoring-epoch'

/** Nobody else may have the store meanwhile. Run again, it begins one more epoch. */
export async function restoreLog(deps: RestoreDeps): Promise<Restored> {
  const { port, witness, clock, random, log } = deps
  const applied = newAppliedLog({ port, log })
  const head = await port.head()
  if (head === undefined) refuse('unavailable', 'the store has no log: there is nothing to restore')
  await applied.readTo(head)
  const lost = await requireSameHistory(deps, head, applied.at)
  await newClockSkewCheck(deps)()
  const missing = await missingOf(deps, lost)
  if (missing !== undefined && !deps.mayHold)
    refuse('conflict', `endings may be missing, so everything that lasts would be held: ${missing}. Nothing was written. ${IF_MEANT}`)
  // What the backup lost comes back as it stood, so the history goes on for whoever has seen it.
  await appendAlone(port, applied, MERGER, lost)
  const end = (await port.head()) ?? head
  const isComplete = missing === undefined
  const { begun, merged } = await readAll(port, end)
  await deps.recordMerged(merged)
  const standing = begun.filter((handle) => !applied.ended.has(handle))
  const epoch = newHandle(random, 'epo')
  const ends = endingsOf(standing.filter((handle) => /^(epo|rk):/.test(handle)))
  // RFC 6962 tree of an epoch: its first leaf commits to the last one of the epoch before.
  const digest = base64url(sha256(utf8(`${end.epoch} ${end.size} ${end.frontier.join(' ')}`)))
  const first: Proposal = { id: newId(random, 'ent'), type: 'epoch.started', begins: [epoch], ends, digest }
  const held = isComplete
    ? []
    : HELD.flatMap(([prefix, type]) => endingAll(random, { type, ends: endingsOf(standing.filter((one) => one.startsWith(prefix))) }))
  const restated = isComplete ? await deps.restateKeys(new Set(standing.filter((one) => one.startsWith('key:')))) : []
  // The records in the backup name these still, and would stand on them again when they are forgotten: they are ended for ever.
  const entries = [
    first,
    ...restated,
    ...held,
    ...endingAll(random, { type: 'record.changed', ends: endingsOf([...merged.keys()].filter(isVersion)) }),
  ].map(numbering(applied, clock))
  await appendAlone(port, applied, UNFINISHED, entries.slice(0, -1))
  await appendAlone(port, applied, 'restore', entries.slice(-1))
  // Raised only after the last
  const last = entries.at(-1)
  if (last !== undefined) await witness.write({ epoch, seq: last.seq, hash: base64url(leafOfEntry(last)) })
  const count = lost.filter((entry) => entry.ends.length > 0).length
  return { epoch, merged: count, isComplete, held: held.reduce((sum, one) => sum + one.ends.length, 0) }
}

/** Refuses a store whose restore was interrupted. */
export async function requireRestored(port: LogPort): Promise<void> {
  const writer = (await port.head())?.writer
  if (writer === MERGER || writer === UNFINISHED)
    refuse('unavailable', 'a restore of this store is not finished: run credence admin restore again')
}

/** Every handle that the log has begun, and what was merged: by this restore, or an earlier one. */
async function readAll(port: LogPort, head: Block): Promise<{ readonly begun: readonly Handle[]; readonly merged: Merged }> {
  const begun = new Set<Handle>()
  const merged = new Map<Handle, Entry>()
  for (let n = 0; n <= head.n; n += PAGE)
    for (const { writer, entries } of await port.read(n, PAGE))
      for (const entry of entries) {
        for (const one of entry.begins ?? []) begun.add(one)
        if (writer !== MERGER) continue
        for (const { handle } of entry.ends) if (merged.get(handle)?.type !== FOR_EVER) merged.set(handle, entry)
      }
  return { begun: [...begun], merged }
}

/** What the mirror has after the store's last entry. Refused where the two are not one history. */
async function requireSameHistory({ port, mirror }: RestoreDeps, head: Block, at: number): Promise<readonly Entry[]> {
  if (mirror.length === 0) return []
  const own = head.entries.at(-1)
  const copy = mirror.find(({ seq }) => seq === at)
  if (own && copy && base64url(leafOfEntry(copy)) !== base64url(leafOfEntry(own)))
    refuse('unavailable', 'the mirror is of another history than the backup')
  const lost = mirror.filter(({ seq }) => seq > at)
  if (lost.length > 0 && (lost[0]?.seq !== at + 1 || copy === undefined))
    refuse('unavailable', `the mirror does not go on where the backup ends, at entry ${at}`)
  if (lost.length === 0 && copy === undefined) {
    const last = mirror.at(-1)
    // Of whichever epoch: a restore that is run again has begun one since
    const epoch = last && (await port.blockOf(last.seq))?.epoch
    if (last && (epoch === undefined || (await hashAt(port, { epoch, seq: last.seq })) !== base64url(leafOfEntry(last))))
      refuse('unavailable', 'the mirror is of another history than the backup')
  }
  return lost
}

/** Why the log with what the mirror has does not reach the last head that anyone can prove; undefined where it does. */
async function missingOf({ port, witness, mirror }: RestoreDeps, lost: readonly Entry[]): Promise<string | undefined> {
  const witnessed = await witness.read()
  if (witnessed === undefined) return `there is no witness at ${witness.name}`
  const { seq, hash } = witnessed
  if ((await hashAt(port, witnessed)) === hash || lost.some((entry) => entry.seq === seq && base64url(leafOfEntry(entry)) === hash))
    return undefined
  const end = mirror.at(-1)?.seq
  const reach = end === undefined ? 'there is no mirror' : `the mirror ends at entry ${end}`
  return `the witness ${witness.name} remembers entry ${seq} of epoch ${witnessed.epoch}, which the backup does not have, and ${reach}`
}

const endingsOf = (handles: readonly Handle[]): Ending[] => handles.map((handle) => ({ handle }))
