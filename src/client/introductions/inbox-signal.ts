import { openWebSocket, type WebSocketLike } from '#websocket'
import type { Clock } from '../../lib/clock.js'
import { TICKET_PREFIX } from '../../protocol/log/feed.js'

interface InboxSignalDeps {
  readonly url: string
  /** The tRPC subscription. */
  readonly path: 'introductions.watch' | 'approvals.watch'
  readonly ticket: () => Promise<string>
  readonly clock: Clock
}

interface InboxSignal {
  /** Resolves when the inbox may hold a new item, and after `maxMs` in any case. */
  next(maxMs?: number): Promise<void>
  close(): void
}

/** The inbox is read this often while no WebSocket is open, for example because a proxy does not pass them on. */
const POLL_MS = 500
/** And this often while one is open, in case a notification was lost. */
const OPEN_POLL_MS = 30_000
const RECONNECT_MS = 5000
const OPEN = 1

/**
 * Listens to the tRPC subscription after the position that `after` returns, and connects again when the socket is lost.
 * A message is only a hint that the inbox has changed.
 */
export function newInboxSignal({ url, path, ticket, clock }: InboxSignalDeps, after: () => number | 'newest'): InboxSignal {
  const closed = new AbortController()
  let socket: WebSocketLike | undefined
  /** True if a message has arrived since the last `next()`. */
  let hasChanged = false
  let waiting = new AbortController()

  const notify = () => {
    hasChanged = true
    waiting.abort()
  }
  const connect = async (): Promise<void> => {
    const text = await ticket()
    if (closed.signal.aborted) return
    const opened = openWebSocket(url, ['trpc', TICKET_PREFIX + text])
    socket = opened
    opened.addEventListener('open', () =>
      opened.send(JSON.stringify({ id: 1, method: 'subscription', params: { path, input: { after: after() } } })),
    )
    opened.addEventListener('message', notify)
    opened.addEventListener('error', () => undefined)
    await new Promise<void>((resolve) => opened.addEventListener('close', () => resolve()))
    notify()
  }
  const keepConnected = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      // Without a WebSocket the inbox is polled, so a failure is not reported.
      await connect().catch(() => undefined)
      socket = undefined
      await clock.after(RECONNECT_MS, closed.signal)
    }
  }
  void keepConnected()

  return {
    next: async (maxMs = OPEN_POLL_MS) => {
      if (!hasChanged) {
        waiting = new AbortController()
        await clock.after(Math.min(maxMs, socket?.readyState === OPEN ? OPEN_POLL_MS : POLL_MS), waiting.signal)
      }
      hasChanged = false
    },
    close: () => {
      closed.abort()
      notify()
      socket?.close(1000)
    },
  }
}
