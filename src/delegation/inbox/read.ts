import type { Clock } from '../../lib/clock.js'
import { assignPositions } from './post.js'
import type { InboxNotification, InboxStore, Recipient } from './store.js'

export interface ReadInboxDeps {
  readonly inbox: InboxStore
  readonly clock: Clock
}

const POLL_MS = 500
const PAGE = 100

/** Reads the notifications after position `after`, in order, including those that were committed before the call. */
export async function readInbox(
  { inbox }: Pick<ReadInboxDeps, 'inbox'>,
  agentId: Recipient,
  after: number,
  limit = PAGE,
): Promise<readonly InboxNotification[]> {
  await assignPositions({ inbox }, agentId)
  // No key sorts after U+FFFF, so the notification at position `after` itself is skipped.
  const { items } = await inbox.notifications.find('position', { where: { agentId }, after: [after, '\uffff'], limit })
  return items
}

/** Position of the newest notification; 0 if there is none. */
export async function newestPosition({ inbox }: Pick<ReadInboxDeps, 'inbox'>, agentId: Recipient): Promise<number> {
  await assignPositions({ inbox }, agentId)
  const { items } = await inbox.notifications.find('position', { where: { agentId }, order: 'down', limit: 1 })
  return items[0]?.position ?? 0
}

/**
 * Yields every notification after position `after` until `signal` aborts. A notification of this instance arrives at once; one that another
 * instance committed arrives with the next poll, after at most 500 ms.
 */
export async function* watchInbox(
  deps: ReadInboxDeps,
  agentId: Recipient,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<InboxNotification, void, undefined> {
  let position = after
  while (!signal.aborted) {
    // The wait begins before the read, so a notification that is posted during the read ends it.
    const wait = waitForPost(deps, signal)
    try {
      const notifications = await readInbox(deps, agentId, position)
      for (const notification of notifications) {
        if (signal.aborted) break
        position = notification.position
        yield notification
      }
      if (notifications.length < PAGE) await wait.done
    } finally {
      wait.stop()
    }
  }
}

/** `done` resolves when a notification was posted on this instance, after POLL_MS, or when `signal` aborts. */
function waitForPost({ inbox, clock }: ReadInboxDeps, signal: AbortSignal): { readonly done: Promise<void>; stop(): void } {
  const wait = new AbortController()
  const abort = () => wait.abort()
  const unlisten = inbox.onPosted(abort)
  signal.addEventListener('abort', abort)
  return {
    done: clock.after(POLL_MS, wait.signal),
    stop: () => {
      abort()
      unlisten()
      signal.removeEventListener('abort', abort)
    },
  }
}
