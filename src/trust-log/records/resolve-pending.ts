// Settles one half. For a beginning: if its entry is in the log, the record is revealed. Otherwise an entry is appended that ends what the
// beginning would begin, unless the beginning's entry is in the log after all, and then the record is dropped. Two instances that settle the same
// half agree, because the order of the log decides. For an ending: its entry is appended.
import type { Random } from '../../lib/random.js'
import { newId } from '../../protocol/ids.js'
import type { Ending, Proposal } from '../../protocol/log/entry.js'
import type { Collection, Storage } from '../../storage/storage.js'
import type { Appender, Written } from '../append.js'
import type { ReadBarrier } from '../read-barrier.js'
import type { HalfKind } from '../trust-log.js'
import type { Half } from './pending-store.js'

interface SettlerDeps {
  readonly storage: Storage
  readonly appender: Appender
  readonly barrier: ReadBarrier
  readonly random: Random
  readonly halves: Collection<Half>
  readonly kindOf: (kind: string) => HalfKind | undefined
  readonly now: () => number
}

interface Settler {
  /** Reveals or drops, once it is known whether the entry is in the log. */
  complete(half: Half, written: Pick<Written, 'outcome'>): Promise<void>
  /** Finds out whether the entry is in the log, or ensures that it never will be. */
  settle(half: Half): Promise<void>
}

/** How often the log is read for an entry that another instance may be about to append, before its half is given up. */
const MAX_REREADS = 3
const MAX_REVEALS = 8

export function newSettler({ storage, appender, barrier, random, halves, kindOf, now }: SettlerDeps): Settler {
  /** Reveals or drops in one commit with the half's removal, so that it is done once. */
  const complete = async (half: Half, { outcome }: Pick<Written, 'outcome'>): Promise<void> => {
    const kind = kindOf(half.kind)
    if (kind === undefined) throw new Error(`the half kind ${half.kind} is not registered`)
    for (let attempt = 0; attempt < MAX_REVEALS; attempt++) {
      const operations = await (outcome === 'stands' ? kind.reveal(half.key, half.id) : kind.drop(half.key, half.id))
      const committed = await storage.commit([halves.taking(half.id, {}), ...operations])
      if (committed.ok || committed.failed === 0) return
    }
    throw new Error(`the half ${half.id} of kind ${half.kind} cannot be completed`)
  }

  const giveUp = async (half: Half): Promise<Written> => {
    const ends: Ending[] = half.proposals.flatMap((proposal) => proposal.begins ?? []).map((handle) => ({ handle }))
    const dropped: Proposal = { id: newId(random, 'ent'), type: 'half.dropped', ends, unless: half.id }
    const written = await appender.append({ proposals: [dropped], on: [], at: now() })
    return written.outcome === 'stands' ? { outcome: 'left_out' } : { outcome: 'stands', entries: [] }
  }
  const stands = async (half: Half): Promise<boolean> => (await storage.log.has(half.id)) !== undefined
  const settle = async (half: Half): Promise<void> => {
    if (half.intent === 'end') {
      await appender.append({ proposals: half.proposals, on: [], at: now() })
      await halves.take(half.id, {})
      return
    }
    for (let read = 0; read < MAX_REREADS && !(await stands(half)); read++) await barrier.readBarrier()
    if (!(await stands(half))) return complete(half, await giveUp(half))
    // The reader then checks whether a handle of the record has ended, so that ending must be applied here too.
    await barrier.readBarrier()
    await complete(half, { outcome: 'stands' })
  }

  return { complete, settle }
}
