// The client of `GET /revocations`. It holds the ended set and where it stands, goes on from there after every loss, and can prove how fresh
// it is: `sync` is a challenge, and freshness counts from the moment at which it was sent.
import { openWebSocket, type WebSocketLike } from '#websocket'
import type { Clock } from '../lib/clock.js'
import type { Random } from '../lib/random.js'
import { type EndedSet, newEndedSet, type Snapshot } from '../protocol/log/ended-set.js'
import { type Ending, type Position, parsePosition } from '../protocol/log/entry.js'
import { FEED_PROTOCOL, type FeedPosition, serverMessageIn, TICKET_PREFIX } from '../protocol/log/feed.js'

/** Where a subscriber keeps what it has, so that it survives a restart. */
export interface FeedStore {
  load(): Promise<{ readonly place: FeedPosition; readonly snapshot: Snapshot } | undefined>
  save(place: FeedPosition, snapshot: () => Snapshot): Promise<void>
}

export interface FeedDeps {
  readonly url: () => Promise<string>
  readonly ticket: () => Promise<string>
  readonly clock: Clock
  readonly random: Random
  readonly store?: FeedStore
  /** Told what the loop in the background met: a handler or store that fails, a registry that cannot be reached. It goes on trying. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Told what ended; the position is kept after it has finished. */
  readonly onEnded?: (ended: readonly Ending[], position: Position) => void | Promise<void>
}

export interface Feed {
  readonly ended: Pick<EndedSet, 'has' | 'size'>
  /** `seq` up to which everything is applied, or −1. */
  readonly at: number
  /** Log time. */
  readonly time: number
  readonly place: FeedPosition | undefined
  /** Monotonic moment from which it is known that everything acknowledged before was applied; undefined: not yet. */
  readonly freshAt: number | undefined
  /** Resolves when everything that was acknowledged before the call is applied; rejects where that cannot be had within `timeoutMs`. */
  sync(timeoutMs?: number): Promise<void>
  close(): void
}

const FIRST_BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 5000
const SYNC_MS = 1000

interface Challenge {
  readonly n: number
  readonly sentAt: number
  readonly answered: Promise<void>
  settle(error?: Error): void
}

/** Resolves once it has what the registry has. */
export async function openFeed(deps: FeedDeps): Promise<Feed> {
  const { clock, random, onError = () => undefined } = deps
  const set = newEndedSet()
  let place: FeedPosition | undefined
  let socket: WebSocketLike | undefined
  let isLive = false
  let freshAt: number | undefined
  let challenges = 0
  let flying: Challenge | undefined
  let next: Promise<void> | undefined
  let isClosed = false
  let backOff = FIRST_BACK_OFF_MS
  let parts: Ending[] = []
  let nextPart = 0
  /** Of the next stretch. */
  let ahead: Ending[] = []
  /** Messages are handled one after the other, so that a slow handler delays and never reorders. */
  let handling: Promise<void> = Promise.resolve()
  const over = new AbortController()
  const waiting = new Set<(live: boolean) => void>()

  const kept = await deps.store?.load()
  if (kept) {
    set.merge(kept.snapshot)
    place = kept.place
  }

  const connect = async (): Promise<void> => {
    const [url, ticket] = [await deps.url(), await deps.ticket()]
    if (isClosed) return
    const opened = openWebSocket(url, [FEED_PROTOCOL, TICKET_PREFIX + ticket])
    socket = opened
    ahead = []
    opened.addEventListener('message', ({ data }) => {
      handling = handling
        .then(() => (socket === opened ? receive(opened, String(data)) : undefined))
        .catch((error: unknown) => {
          drop(opened)
          onError(error)
        })
    })
    opened.addEventListener('error', () => undefined)
    opened.addEventListener('close', () => {
      if (socket === opened) lose()
    })
  }
  const lose = () => {
    socket = undefined
    isLive = false
    flying?.settle(new Error('the feed was lost'))
    flying = undefined
    void reconnect()
  }
  /** Nothing that this socket has said or says counts any more. */
  const drop = (from: WebSocketLike) => {
    from.close()
    if (socket === from) lose()
  }
  const reconnect = async (): Promise<void> => {
    if (isClosed) return
    const share = 0.5 + (random.bytes(1)[0] ?? 0) / 512
    await clock.after(backOff * share, over.signal)
    backOff = Math.min(backOff * 2, MAX_BACK_OFF_MS)
    if (isClosed) return
    await connect().catch((error: unknown) => {
      onError(error)
      return reconnect()
    })
  }
  const say = (message: object) => socket?.send(JSON.stringify(message))

  const receive = async (from: WebSocketLike, text: string): Promise<void> => {
    const message = serverMessageIn(text)
    if (message === 'unknown') return
    if (message === undefined) return drop(from)
    switch (message.type) {
      case 'hello':
        return say({ type: 'subscribe', ...(place && { from: place }) })
      case 'snapshot': {
        if (message.part === 0) [parts, nextPart] = [[], 0]
        // A part that is missing would be an ending that is missing.
        if (message.part !== nextPart++) return drop(from)
        for (const ending of message.ended) parts.push(ending)
        if (nextPart < message.parts) return
        // Merged, never replaced: what had ended stays ended, whatever history this registry shows.
        const snapshot = { position: message.place.position, time: message.time, ended: parts }
        if (isBehind(message.place)) return drop(from)
        if (place && parsePosition(place.position).epoch === parsePosition(message.place.position).epoch) set.merge(snapshot)
        else set.moveTo(snapshot)
        return took(message.place, parts)
      }
      case 'ended':
        ahead.push(...message.ended)
        return
      case 'events': {
        const { epoch, prev, last, time, hash } = message
        const ended = [...ahead, ...message.ended]
        ahead = []
        const applied = set.apply({ epoch, prev, last, time, ended })
        // A gap, or another epoch: from the place that is known for sure.
        if (applied === 'gap' || applied === 'other_epoch') return drop(from)
        if (applied === 'applied' && set.position) await took({ position: set.position, hash: hash as FeedPosition['hash'] }, ended)
        return
      }
      case 'synced':
        // A sign of life counts from the place that is applied here, and from no other history.
        if (message.head.position !== place?.position || message.head.hash !== place.hash) return drop(from)
        if (!isLive) live()
        if (flying?.n === message.n) flying.settle()
        return
      case 'reset':
      case 'snapshot_required':
        return say({ type: 'subscribe' })
      case 'move':
      case 'error':
        return drop(from)
    }
  }
  /** An earlier place of the same history: the registry has lost what it once showed. Nothing of it counts; without a fresh answer the verifier says so. */
  const isBehind = ({ position }: FeedPosition): boolean => {
    if (place === undefined) return false
    const [now, then] = [parsePosition(position), parsePosition(place.position)]
    return now.epoch === then.epoch && now.seq < then.seq
  }
  const took = async (at: FeedPosition, ended: readonly Ending[]): Promise<void> => {
    place = at
    if (ended.length > 0) await deps.onEnded?.(ended, at.position)
    await deps.store?.save(at, () => set.snapshot())
    if (!isLive) live()
  }
  const live = () => {
    isLive = true
    backOff = FIRST_BACK_OFF_MS
    for (const wake of waiting) wake(true)
    waiting.clear()
  }

  /** One challenge is in flight at most; who asks meanwhile needs the next one. */
  const challenge = async (timeoutMs: number): Promise<void> => {
    if (flying) {
      next ??= flying.answered
        .catch(() => undefined)
        .then(() => {
          next = undefined
          return send(timeoutMs)
        })
      return next
    }
    return send(timeoutMs)
  }
  const send = (timeoutMs: number): Promise<void> => {
    const made = newChallenge(challenges++, clock.monotonicMs())
    flying = made
    const done = made.answered.then(
      () => {
        freshAt = made.sentAt
        if (flying === made) flying = undefined
      },
      (error: unknown) => {
        if (flying === made) flying = undefined
        throw error
      },
    )
    if (socket === undefined || socket.readyState !== 1 || place === undefined) made.settle(new Error('the feed is not connected'))
    else say({ type: 'sync', n: made.n })
    const timer = new AbortController()
    void clock.after(timeoutMs, timer.signal).then(() => {
      if (!timer.signal.aborted) made.settle(new Error('the registry does not answer'))
    })
    return done.finally(() => timer.abort())
  }

  const feed: Feed = {
    ended: set,
    get at() {
      return set.at
    },
    get time() {
      return set.time
    },
    get place() {
      return place
    },
    get freshAt() {
      return freshAt
    },
    sync: (timeoutMs = SYNC_MS) => challenge(timeoutMs),
    close: () => {
      isClosed = true
      over.abort()
      for (const wake of waiting) wake(false)
      flying?.settle(new Error('the feed is closed'))
      socket?.close(1000)
      socket = undefined
    },
  }
  await connect()
  if (place === undefined) await new Promise<boolean>((resolve) => waiting.add(resolve))
  return feed
}

function newChallenge(n: number, sentAt: number): Challenge {
  let settle: Challenge['settle'] = () => {}
  const answered = new Promise<void>((resolve, reject) => {
    settle = (error) => (error ? reject(error) : resolve())
  })
  answered.catch(() => undefined)
  return { n, sentAt, answered, settle }
}
