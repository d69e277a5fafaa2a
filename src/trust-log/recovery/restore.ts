// Restores the log of a store that was put back from a backup, so that the store can be served again.
//
// A backup lacks the revocations since it was made. Served unchanged, it would make revoked keys, agents and tokens valid again. So:
//
// 1. Replay: entries of the mirror that follow the backup's last entry are appended unchanged, and the records that they revoked are updated.
// 2. Completeness: the witness, which is outside the store, has the last known head of the log. If store and mirror together have that entry,
//    no known revocation is missing, and no entry of the mirror was changed (mirror-proof.ts). Otherwise the restore is refused, or the store is quarantined: everything that outlives a token is ended.
// 3. New epoch: its first entry ends the previous epoch and the registry's signing keys, so every token issued before is invalid. Keys that are
//    not revoked are registered again in the new epoch, because proofs reach back only to its first entry. Then the witness is updated.
//
// Log time begins anew with the epoch, because the old one may have been written under a wrong clock. What the ended set has forgotten by that
// clock is ended again, so nothing revives.
//
// The store cannot be served between the first appended block and the last; an interrupted restore is repeated and begins another epoch.
// Cost: the log is read twice; memory holds one string for each handle that the store's records have, and the mirror.
// Limits: no registry may run on the store. The witness is updated once a second, so a revocation after its last update that the mirror lacks
// goes unnoticed.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import type { Clock, EpochSeconds } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import { type Handle, isVersion } from '../../protocol/handles.js'
import { newId } from '../../protocol/ids.js'
import { FORGET_AFTER_SECONDS } from '../../protocol/log/ended-set.js'
import { type Block, type Ending, type Entry, type EntryType, epochStartedBy, type Proposal } from '../../protocol/log/entry.js'
import { treeDigest } from '../../protocol/log/merkle.js'
import type { LogPort } from '../../storage/storage.js'
import { type AppliedLog, newAppliedLog } from '../apply.js'
import { appendExclusively, endingAll, numbering } from '../block.js'
import { blocksFrom } from '../blocks-from.js'
import { isPlausible } from '../clock-rule.js'
import { newClockSkewCheck, toIso } from '../clock-skew.js'
import { frontierOf, leafOfEntry, rootOf } from '../proofs/leaf.js'
import { type LogHead, leafHashAt, requireHead, type WitnessStore } from '../witness/witness.js'
import { lastProvenEntry, type MirrorCheckpoint } from './mirror-proof.js'

interface RestoreDeps {
  readonly port: LogPort
  /** Undefined if the registry has none. */
  readonly witness: WitnessStore | undefined
  /** Entries of a mirror of the log, in order from entry 0; empty without a mirror. */
  readonly mirror: readonly Entry[]
  /** Absent without a mirror, and for a mirror of an earlier release. */
  readonly mirrorCheckpoint?: MirrorCheckpoint | undefined
  /** True if the store was not put back from a backup. Then a registry without a witness is complete. */
  readonly isCurrent?: boolean
  /** Resets a clock that is plausible, and accepts a witness without a head, which then gets the head of this store. */
  readonly isForced?: boolean
  /** Allows a quarantine if revocations may be missing. Otherwise such a restore is refused and writes nothing. */
  readonly mayQuarantine: boolean
  /**
   * Updates records that the mirror revoked after the backup, and bans the keys that it declared compromised. Called before the store can be served; called again if the restore is repeated.
   */
  readonly replayRevocations: (replayed: ReplayedRevocations, compromises: readonly Entry[]) => Promise<void>
  /** The handles of the records that outlive a token, and of the registry's signing keys. */
  readonly handlesOfRecords: () => Promise<readonly Handle[]>
  /** Entries that register the given keys (`key:` handles, not revoked) again in the new epoch. */
  readonly reissueKeyEntries: (reissued: { readonly standing: ReadonlySet<Handle>; readonly epoch: Handle }) => Promise<readonly Proposal[]>
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>
  readonly random: Random
  readonly log: Log
}

/**
 * The handles that replayed entries ended, each with the last entry that ended it. A revocation of an agent is never replaced by a later entry,
 * because a concurrent suspension may follow it in the log.
 */
export type ReplayedRevocations = ReadonlyMap<Handle, Pick<Entry, 'type' | 'digest'>>

export interface RestoreResult {
  readonly epoch: Handle
  /** Where the backup ends. What was registered, published or granted later is lost. */
  readonly backupEndsAt: LogEnd
  /** Where the mirror ends. Absent without a mirror. */
  readonly mirrorEndsAt?: LogEnd
  /** The replayed entries that neither the witness nor a signed checkpoint proves: the mirror may have been changed there. Absent if all are proved. */
  readonly unprovenEntries?: { readonly from: number; readonly to: number }
  /** The newest entry of which the witness knows. Absent if no witness could be read. Nobody knows what was revoked after it. */
  readonly witnessedEntry?: number
  /** Number of replayed entries that ended a handle. */
  readonly replayed: number
  /** False if backup and mirror lack the witnessed entry, so that revocations may be missing and the store was quarantined. */
  readonly reachesWitness: boolean
  /** Number of handles that the quarantine ended. */
  readonly quarantined: number
}

/** An entry of the log, and its log time (epoch seconds). */
interface LogEnd {
  readonly entry: number
  readonly time: number
}

/** The handle kinds that a quarantine ends, and the type of the entries that end them. */
const QUARANTINED_KINDS: readonly (readonly [prefix: string, type: EntryType])[] = [
  ['agt:', 'agent.suspended'],
  ['mem:', 'member.revoked'],
  ['cli:', 'client.revoked'],
  ['key:', 'key.revoked'],
  ['int:', 'introduction.revoked'],
  ['tsk:', 'task.ended'],
]
const AGENT_REVOKED: EntryType = 'agent.revoked'
/** Writer of the replayed blocks. A log that ends with one of them cannot be served. */
const REPLAY_WRITER = 'restoring'
/** Writer of the new epoch's entries except the last. A log that ends with one of them cannot be served. */
const EPOCH_WRITER = 'restoring-epoch'
/** Writer of the entry that completes the new epoch. */
const LAST_WRITER = 'restore'

/** Restores the log; see the head of this file. No registry may run on the store. A repeated restore begins another epoch. */
export async function restoreLog(deps: RestoreDeps): Promise<RestoreResult> {
  const { port, witness, clock, random, log } = deps
  const applied = newAppliedLog({ port, log })
  const head = await port.head()
  if (head === undefined) refuse('unavailable', 'the store has no log: there is nothing to restore')
  await applied.readTo(head)
  const lost = await entriesAfterBackup(deps, head, applied.seq)
  await newClockSkewCheck(deps)()
  if (deps.isCurrent) await requireResettable(deps, head)
  const witnessed = await witness?.read()
  const proven = lastProvenEntry({ epoch: head.epoch, frontier: applied.frontier }, lost, { witnessed, checkpoint: deps.mirrorCheckpoint })
  const missing = await whyIncomplete(deps, witnessed, lost)
  if (missing !== undefined && !deps.mayQuarantine)
    refuse('conflict', `revocations may be missing: ${missing}. Nothing was written. ${deps.isCurrent ? OLD_COPY : QUARANTINE}`)
  // Lost entries keep their ids and positions, so mirrors and verifiers that have read them can continue.
  await appendExclusively(port, applied, REPLAY_WRITER, lost)
  const end = (await port.head()) ?? head
  const reachesWitness = missing === undefined
  const { replayed, compromises } = await readReplayed(port, end)
  await deps.replayRevocations(replayed, compromises)
  const standing = [end.epoch, ...(await deps.handlesOfRecords())].filter((handle) => !applied.ended.has(handle))
  const started = epochStarted(deps, { end, standing })
  const epoch = epochStartedBy(started)
  const standingKeys = new Set(standing.filter((handle) => handle.startsWith('key:')))
  const quarantine = reachesWitness ? [] : quarantineEntries(random, standing)
  const entries = [
    started,
    ...(reachesWitness ? await deps.reissueKeyEntries({ standing: standingKeys, epoch }) : []),
    ...quarantine,
    // The ended set forgets a version some time after its last token expired, but records of the backup still name it. So these endings last.
    ...endingAll(random, { type: 'record.changed', ends: lastingEndings([...replayed.keys()].filter(isVersion)) }),
    ...endingAll(random, { type: 'record.changed', ends: await forgottenTooEarly(port, applied, clock.now()) }),
  ].map(numbering({ ...applied.tip(), time: 0 }, clock))
  await appendExclusively(port, applied, EPOCH_WRITER, entries.slice(0, -1))
  await appendExclusively(port, applied, LAST_WRITER, entries.slice(-1))
  const last = entries.at(-1)
  if (last !== undefined) await witness?.write({ epoch, seq: last.seq, hash: base64url(leafOfEntry(last)), root: rootOf(applied.frontier) })
  return {
    epoch,
    backupEndsAt: endOf(head.entries.at(-1)),
    ...(deps.mirror.length > 0 && { mirrorEndsAt: endOf(deps.mirror.at(-1)) }),
    ...unprovenEntries(lost, proven),
    ...(witnessed && { witnessedEntry: witnessed.seq }),
    replayed: lost.filter((entry) => entry.ends.length > 0).length,
    reachesWitness,
    quarantined: quarantine.reduce((sum, entry) => sum + entry.ends.length, 0),
  }
}

function unprovenEntries(lost: readonly Entry[], proven: number | undefined): Pick<RestoreResult, 'unprovenEntries'> {
  const [first, last] = [lost[0]?.seq ?? 0, lost.at(-1)?.seq ?? -1]
  const from = Math.max(first, (proven ?? -1) + 1)
  return from <= last ? { unprovenEntries: { from, to: last } } : {}
}

const endOf = (entry: Entry | undefined): LogEnd => ({ entry: entry?.seq ?? -1, time: entry?.time ?? 0 })

const QUARANTINE =
  'To restore anyway, run it with --quarantine: it suspends all agents and revokes all members, keys, introductions and tasks'
const OLD_COPY = 'The store is an old copy: run credence admin restore'

/** Refuses to reset the clock of a log whose time is plausible, because a reset makes every token invalid; and without the registry's witness. */
async function requireResettable({ witness, clock, isForced }: RestoreDeps, head: Block): Promise<void> {
  if (isForced) return
  const [now, logTime] = [clock.now(), head.entries.at(-1)?.time ?? 0]
  if (isPlausible(now, logTime) && !wasInterrupted(head))
    refuse(
      'conflict',
      `there is nothing to reset: the newest entry of the log is from ${toIso(logTime)}, and the clock of this machine says ${toIso(now)}. Nothing was written. A reset makes all tokens invalid; --force does it anyway`,
    )
  if (witness) await requireHead(witness)
}

/** The endings whose horizon has not passed at `now`, although the ended set has forgotten them by a later log time. */
async function forgottenTooEarly(port: LogPort, applied: AppliedLog, now: EpochSeconds): Promise<readonly Ending[]> {
  if (applied.time <= now) return []
  const forgotten = new Map<Handle, Ending>()
  for await (const { entries } of blocksFrom(port, { from: 0, to: applied.n }))
    for (const ending of entries.flatMap(({ ends }) => ends))
      if ((ending.horizon ?? 0) + FORGET_AFTER_SECONDS >= now && !applied.ended.has(ending.handle)) forgotten.set(ending.handle, ending)
  return [...forgotten.values()]
}

/** Refuses a store whose restore was interrupted. */
export async function requireRestored(port: LogPort): Promise<void> {
  const head = await port.head()
  if (head && wasInterrupted(head))
    refuse('unavailable', 'a restore of this store was interrupted: run credence admin restore (or admin reset-clock) again')
}

const wasInterrupted = ({ writer }: Block): boolean => writer === REPLAY_WRITER || writer === EPOCH_WRITER

/** The entry that begins the new epoch. It ends all earlier epochs and the registry's signing keys, and so every token issued before. */
function epochStarted({ random }: RestoreDeps, { end, standing }: { readonly end: Block; readonly standing: readonly Handle[] }): Proposal {
  const ends = lastingEndings(standing.filter((handle) => /^(epo|rk):/.test(handle)))
  const digest = treeDigest(sha256, end.epoch, frontierOf(end))
  return { id: newId(random, 'ent'), type: 'epoch.started', ends, digest }
}

const quarantineEntries = (random: Random, standing: readonly Handle[]): Proposal[] =>
  QUARANTINED_KINDS.flatMap(([prefix, type]) =>
    endingAll(random, { type, ends: lastingEndings(standing.filter((handle) => handle.startsWith(prefix))) }),
  )

/** The revocations that this restore or an earlier one has replayed, and the entries about compromised keys. */
async function readReplayed(
  port: LogPort,
  head: Block,
): Promise<{ readonly replayed: ReplayedRevocations; readonly compromises: readonly Entry[] }> {
  const replayed = new Map<Handle, Entry>()
  const compromises: Entry[] = []
  for await (const { writer, entries } of blocksFrom(port, { from: 0, to: head.n })) {
    if (writer !== REPLAY_WRITER) continue
    compromises.push(...entries.filter(({ type }) => type === 'key.compromised'))
    for (const entry of entries)
      for (const { handle } of entry.ends) if (replayed.get(handle)?.type !== AGENT_REVOKED) replayed.set(handle, entry)
  }
  return { replayed, compromises }
}

/** The mirror's entries after the store's last entry, number `lastSeq`. Refuses a mirror of another log, and a gap between store and mirror. */
async function entriesAfterBackup({ port, mirror }: RestoreDeps, head: Block, lastSeq: number): Promise<readonly Entry[]> {
  if (mirror.length === 0) return []
  const own = head.entries.at(-1)
  const copy = mirror.find(({ seq }) => seq === lastSeq)
  if (own && copy && base64url(leafOfEntry(copy)) !== base64url(leafOfEntry(own))) refuse('unavailable', OTHER_HISTORY)
  const lost = mirror.filter(({ seq }) => seq > lastSeq)
  if (lost.length > 0 && (lost[0]?.seq !== lastSeq + 1 || copy === undefined))
    refuse('unavailable', `the mirror does not continue the backup, whose last entry is ${lastSeq}: use a complete mirror of this registry`)
  if (lost.length === 0 && copy === undefined) {
    const last = mirror.at(-1)
    // The mirror ends before the store. Its last entry may be of an earlier epoch, because an interrupted restore has begun an epoch since.
    const epoch = last && (await port.blockOf(last.seq))?.epoch
    if (last && (epoch === undefined || (await leafHashAt(port, { epoch, seq: last.seq })) !== base64url(leafOfEntry(last))))
      refuse('unavailable', OTHER_HISTORY)
  }
  return lost
}
const OTHER_HISTORY = 'the mirror and the backup have different histories: use a mirror of this registry'

/** Why revocations may be missing: the witness has a head that neither store nor mirror has. Undefined if one of them has it. */
async function whyIncomplete(
  { port, witness, mirror, isCurrent }: RestoreDeps,
  witnessed: LogHead | undefined,
  lost: readonly Entry[],
): Promise<string | undefined> {
  if (witnessed === undefined && isCurrent) return undefined
  if (witness === undefined) return 'the registry has no witness (--no-witness)'
  if (witnessed === undefined) return witness.emptyText
  const { seq, hash, epoch } = witnessed
  if ((await leafHashAt(port, witnessed)) === hash || lost.some((entry) => entry.seq === seq && base64url(leafOfEntry(entry)) === hash))
    return undefined
  const backupEnd = (await port.head())?.entries.at(-1)?.seq
  const end = mirror.at(-1)?.seq
  const reach = end === undefined ? 'there is no mirror' : `the mirror ends at entry ${end}`
  return `the witness ${witness.name} has entry ${seq} of epoch ${epoch}, which the backup lacks (its last entry is ${String(backupEnd)}), and ${reach}`
}

/** Endings that are never forgotten. */
const lastingEndings = (handles: readonly Handle[]): Ending[] => handles.map((handle) => ({ handle }))
