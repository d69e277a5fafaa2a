// Settles one half. A beginning: if its entry stands, reveal; else append an entry that ends what it would begin, unless it
// stands after all; then drop. Two who settle agree: the log's order decides. An ending: append it.
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
  readonly fence: ReadBarrier
  readonly random: Random
  readonly halves: Collection<Half>
  readonly kindOf: (kind: string) => HalfKind | undefined
  readonly now: () => number
}

interface Settler {
  /** Whether its entry stands is known. */
  complete(half: Half, written: Pick<Written, 'outcome'>): Promise<void>
  /** Finds out, or decides. */
  settle(half: Half): Promise<void>
}

/** How often the log is read for an entry that another instance may be about to append, before its half is given up. */
const PATIENCE = 3
const MAX_REVEALS = 8

export function newSettler({ storage, appender, fence, random, halves, kindOf, now }: SettlerDeps): Settler {
  /** Reveals or drops in one commit with the half's removal, so that it is done once. */
  const complete = async (half: Half, { outcome }: Pick<Written, 'outcome'>): Promise<void> => {
    const kind = kindOf(half.kind)
    if (kind === undefined) throw new Error(`nobody completes halves of kind ${half.kind}`)
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
    for (let read = 0; read < PATIENCE && !(await stands(half)); read++) await fence.readBarrier()
    if (!(await stands(half))) return complete(half, await giveUp(half))
    // Its reader goes on to ask whether what it stands on has ended: that must be applied here as well.
    await fence.readBarrier()
    await complete(half, { outcome: 'stands' })
  }

  return { complete, settle }
}
