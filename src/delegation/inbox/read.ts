import type { Clock } from '../../lib/clock.js'
import type { AgentId } from '../../protocol/ids.js'
import { assignPositions } from './post.js'
import type { InboxItem, InboxStore } from './store.js'

export interface ReadInboxDeps {
  readonly inbox: InboxStore
  readonly clock: Clock
}

const POLL_MS = 500
const PAGE = 100

/** Items after position `after`, in order: all that was posted before this was asked. */
export async function readInbox(
  { inbox }: Pick<ReadInboxDeps, 'inbox'>,
  agentId: AgentId,
  after: number,
  limit = PAGE,
): Promise<readonly InboxItem[]> {
  await assignPositions({ inbox }, agentId)
  // No key sorts after this one: everything at the place of `after` itself has been read.
  const { items } = await inbox.items.find('place', { where: { agentId }, after: [after, '\uffff'], limit })
  return items
}

/** Every item after `after`, as it comes, until `signal` aborts. The doorbell is a hint; the poll finds what another instance posted. */
export async function* watchInbox(
  deps: ReadInboxDeps,
  agentId: AgentId,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<InboxItem, void, undefined> {
  let position = after
  while (!signal.aborted) {
    const bell = ringing(deps, signal)
    const items = await readInbox(deps, agentId, position)
    for (const item of items) {
      if (signal.aborted) break
      position = item.seq
      yield item
    }
    if (items.length < PAGE) await bell.rung
    bell.stop()
  }
}

/** Listens from before the reading, so that nothing posted meanwhile is slept through. */
function ringing({ inbox, clock }: ReadInboxDeps, signal: AbortSignal): { readonly rung: Promise<void>; stop(): void } {
  const over = new AbortController()
  const end = () => over.abort()
  const unlisten = inbox.onRing(end)
  signal.addEventListener('abort', end)
  return {
    rung: clock.after(POLL_MS, over.signal),
    stop: () => {
      end()
      unlisten()
      signal.removeEventListener('abort', end)
    },
  }
}
