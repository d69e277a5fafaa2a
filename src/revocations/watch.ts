import { tracked } from '@trpc/server'
import { refuse } from '../errors.js'
import { parsePosition } from '../protocol/log/entry.js'
import { FeedPosition } from '../protocol/log/feed.js'
import type { Hub } from './hub.js'

export interface WatchDeps {
  readonly hub: Hub
}

/** A position as the event id of a tracked value: `<position>.<hash>`. */
const eventIdOf = ({ position, hash }: FeedPosition): string => `${position}.${hash}`

export function positionOfEventId(id: string): FeedPosition {
  const dot = id.lastIndexOf('.')
  const parsed = FeedPosition.safeParse({ position: id.slice(0, dot), hash: id.slice(dot + 1) })
  return parsed.success ? parsed.data : refuse('bad_input', 'lastEventId: not an event id of this feed (expected "<position>.<hash>")')
}

/**
 * The feed of revocations as tracked values. Begins with a snapshot if `from` is absent or cannot be resumed; then yields batches in order,
 * without a gap. Every value is tracked, because a tRPC client resumes only from the event id of the last value it got.
 */
export async function* watchRevocations({ hub }: WatchDeps, from: FeedPosition | undefined, signal: AbortSignal) {
  await hub.readBarrier()
  let sentSeq: number
  if (from === undefined || (await hub.decideResume(from)) !== 'resumed') {
    const { snapshot, asOf, seq } = hub.snapshot()
    yield tracked(eventIdOf(asOf), { kind: 'snapshot' as const, asOf, time: snapshot.time, ended: snapshot.ended })
    sentSeq = seq
  } else {
    sentSeq = parsePosition(from.position).seq
  }
  while (!signal.aborted) {
    // Listening starts before the read, so that a batch made in between is not missed.
    const next = nextBatch(hub, signal)
    try {
      const batch = await hub.batchAfter(sentSeq)
      if (batch === undefined) {
        await next.made
        continue
      }
      sentSeq = batch.last
      const { epoch, prev, last, time, hash, ended } = batch
      yield tracked(`${epoch}.${last}.${hash}`, { kind: 'events' as const, epoch, prev, last, time, hash, ended })
    } finally {
      next.stop()
    }
  }
}

/** `made` resolves with the next batch of the hub, when `signal` aborts, or at stop(). */
function nextBatch(hub: Hub, signal: AbortSignal): { readonly made: Promise<void>; stop(): void } {
  let stop = () => {}
  const made = new Promise<void>((resolve) => {
    const unlisten = hub.onBatch(() => stop())
    stop = () => {
      unlisten()
      signal.removeEventListener('abort', stop)
      resolve()
    }
    signal.addEventListener('abort', stop)
  })
  return { made, stop: () => stop() }
}
