import { tracked } from '@trpc/server'
import { refuse } from '../errors.js'
import { parsePosition } from '../protocol/log/entry.js'
import { FeedPosition } from '../protocol/log/feed.js'
import type { Hub } from './hub.js'

export interface WatchDeps {
  readonly hub: Hub
}

/** `<position>.<hash>`: where a subscriber stands, as the id of a tracked value. */
export const idOfPlace = ({ position, hash }: FeedPosition): string => `${position}.${hash}`

export function placeOfId(id: string): FeedPosition {
  const dot = id.lastIndexOf('.')
  const parsed = FeedPosition.safeParse({ position: id.slice(0, dot), hash: id.slice(dot + 1) })
  return parsed.success ? parsed.data : refuse('bad_input', 'lastEventId is not a place of this feed')
}

/**
 * The feed as tracked values: a snapshot where nothing is known or the place is of another history, then batches without a gap. Never an
 * untracked value: a client that got one would lose its place.
 */
export async function* watchRevocations({ hub }: WatchDeps, from: FeedPosition | undefined, signal: AbortSignal) {
  await hub.fence()
  let at: number
  if (from === undefined || hub.judge(from) !== 'resumed') {
    const { snapshot, place, seq } = hub.snapshot()
    yield tracked(idOfPlace(place), { kind: 'snapshot' as const, place, time: snapshot.time, ended: snapshot.ended })
    at = seq
  } else {
    at = parsePosition(from.position).seq
  }
  while (!signal.aborted) {
    const bell = nextBatch(hub, signal)
    const batch = await hub.batchAfter(at)
    if (batch === undefined) {
      await bell.rung
      continue
    }
    bell.stop()
    at = batch.last
    const { epoch, prev, last, time, hash, ended } = batch
    yield tracked(`${epoch}.${last}.${hash}`, { kind: 'events' as const, epoch, prev, last, time, hash, ended })
  }
}

/** Listens from before the look, so that nothing made meanwhile is slept through. */
function nextBatch(hub: Hub, signal: AbortSignal): { readonly rung: Promise<void>; stop(): void } {
  let stop = () => {}
  const rung = new Promise<void>((resolve) => {
    const unlisten = hub.onBatch(() => stop())
    stop = () => {
      unlisten()
      signal.removeEventListener('abort', stop)
      resolve()
    }
    signal.addEventListener('abort', stop)
  })
  return { rung, stop: () => stop() }
}
