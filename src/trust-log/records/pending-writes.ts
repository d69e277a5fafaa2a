// A record and its log entry are two writes. A write that was begun and not completed (a crash, a slow writer) has a document in `halves`,
// written in one commit with the hidden record or the audit row. Any instance that finds such a half settles it.
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import { type EntryId, newId } from '../../protocol/ids.js'
import { type Ending, type Proposal, positionOf } from '../../protocol/log/entry.js'
import type { Storage } from '../../storage/storage.js'
import type { Appender } from '../append.js'
import type { AppliedLog } from '../apply.js'
import { endingAll } from '../block.js'
import type { ReadBarrier } from '../read-barrier.js'
import type { Beginning, Begun, HalfKind, TrustLog } from '../trust-log.js'
import { type Half, halvesIn } from './pending-store.js'
import { newSettler } from './resolve-pending.js'

interface HalvesDeps {
  readonly storage: Storage
  readonly applied: AppliedLog
  readonly appender: Appender
  readonly barrier: ReadBarrier
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

interface Halves extends Pick<TrustLog, 'begin' | 'end' | 'tryEnd' | 'settle' | 'halves'> {
  /** Settles every half that is at least `seconds` old. */
  settleOlderThan(seconds: number): Promise<void>
  close(): Promise<void>
}

const ENDING = 'ending'
const PAGE = 100

export function newHalves(deps: HalvesDeps): Halves {
  const { storage, applied, appender, clock, random, log } = deps
  const halves = halvesIn(storage)
  const kinds = new Map<string, HalfKind>()
  /** Beginnings of this instance whose entry is not decided yet. A reader that finds such a half waits for it instead of giving it up. */
  const underWay = new Map<EntryId, Promise<void>>()
  const tidying = new Set<Promise<void>>()
  const now = () => Math.max(clock.now(), applied.time)
  const settler = newSettler({ ...deps, halves, kindOf: (kind) => kinds.get(kind), now })

  const begin = async (beginning: Beginning): Promise<Begun> => {
    const half = halfOf(beginning, now())
    const outcome = await whileUnderWay(half.id, async () => {
      const committed = await storage.commit([...beginning.hidden, halves.inserting(half)])
      return committed.ok ? appender.append({ proposals: half.proposals, on: half.on, at: half.at }) : committed.failed
    })
    if (typeof outcome === 'number') return { outcome: 'failed', failed: outcome }
    await settler.complete(half, outcome)
    const [entry] = outcome.outcome === 'stands' ? outcome.entries : []
    return entry ? { outcome: 'begun', entry } : { outcome: 'refused' }
  }
  const whileUnderWay = async <T>(id: EntryId, work: () => Promise<T>): Promise<T> => {
    const working = work()
    const over = working.then(
      () => undefined,
      () => undefined,
    )
    underWay.set(id, over)
    try {
      return await working
    } finally {
      underWay.delete(id)
    }
  }

  const tryEnd: TrustLog['tryEnd'] = async ({ type, ends, intent, id = newId(random, 'ent'), alwaysLog = false }) => {
    const left = distinctEndings(ends).filter(({ handle }) => alwaysLog || !applied.ended.has(handle))
    // One half per entry, so that each half fits in a document. Every half that was committed is completed
    const at = now()
    const ending = endingAll(random, { type, ends: left, first: id }).map(
      (proposal): Half => ({ id: proposal.id, intent: 'end', kind: ENDING, key: id, proposals: [proposal], on: [], at }),
    )
    const committed = await storage.commit([...intent, ...ending.map((half) => halves.inserting(half))])
    if (!committed.ok) return { outcome: 'failed', failed: committed.failed }
    const written = await Promise.all(ending.map(({ proposals, on }) => appender.append({ proposals, on, at })))
    for (const half of ending) tidy(half)
    const last = Math.max(...written.map((result) => (result.outcome === 'stands' ? (result.entries.at(-1)?.seq ?? -1) : -1)))
    return { outcome: 'ended', position: last < 0 || applied.epoch === undefined ? here() : positionOf(applied.epoch, last) }
  }
  const end: TrustLog['end'] = async (ending) => {
    const tried = await tryEnd(ending)
    return tried.outcome === 'ended'
      ? { position: tried.position }
      : refuse('conflict', 'the state that the request was decided on has changed; try again')
  }
  const here = () => applied.ended.position ?? refuse('standing_unknown', 'the log is empty')
  /** The ending is in the log already, so its half is removed without delaying the response. */
  const tidy = (half: Half) => {
    const work = halves.take(half.id, {}).then(
      () => undefined,
      (error: unknown) => log.warn('a completed pending write could not be removed; it is removed later', { error: String(error) }),
    )
    tidying.add(work)
    void work.finally(() => tidying.delete(work))
  }

  const settleOne = async (half: Half): Promise<void> => {
    await underWay.get(half.id)
    await settler.settle(half)
  }
  const settle = async (kind: string, key: string): Promise<void> => {
    const { items } = await halves.find('place', { where: { kind, key }, limit: PAGE })
    for (const half of items) await settleOne(half)
  }
  const settleOlderThan = async (seconds: number): Promise<void> => {
    const until = clock.now() - seconds
    for (let page = await halves.find('age', { where: {}, limit: PAGE }); ; ) {
      for (const half of page.items) if (half.at <= until) await settleLogged(half)
      if (page.next === undefined || (page.items.at(-1)?.at ?? 0) > until) return
      page = await halves.find('age', { where: {}, limit: PAGE, after: page.next })
    }
  }
  const settleLogged = async (half: Half): Promise<void> => {
    try {
      if (half.intent === 'end' || (kinds.has(half.kind) && !underWay.has(half.id))) await settleOne(half)
    } catch (error) {
      log.error('a pending write could not be resolved; it is tried again', error, { 'half.kind': half.kind, 'half.entry': half.id })
    }
  }

  return {
    begin,
    end,
    tryEnd,
    settle,
    settleOlderThan,
    halves: (kind, half) => {
      if (kinds.has(kind)) throw new Error(`the half kind ${kind} is registered already`)
      kinds.set(kind, half)
    },
    close: async () => {
      await Promise.all(tidying)
    },
  }
}

function halfOf({ kind, key, id, type, begins, dependsOn, ends = [], digest }: Beginning, at: number): Half {
  const proposal: Proposal = { id, type, ends: [...ends], begins: [...begins], ...(digest !== undefined && { digest }) }
  return { id, intent: 'begin', kind, key, proposals: [proposal], on: [...new Set(dependsOn)], at }
}

function distinctEndings(ends: readonly Ending[]): Ending[] {
  const latest = new Map<string, Ending>()
  for (const ending of ends) {
    const known = latest.get(ending.handle)
    // No horizon counts as the latest one.
    if (known === undefined || (known.horizon !== undefined && (ending.horizon ?? Number.POSITIVE_INFINITY) > known.horizon))
      latest.set(ending.handle, ending)
  }
  return [...latest.values()]
}
