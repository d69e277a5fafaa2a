import { refuse } from '../errors.js'
import type { AgentId } from '../protocol/ids.js'
import type { Operation } from '../storage/storage.js'
import type { InboxItem, InboxStore } from './store.js'

export type Notice = Pick<InboxItem, 'at' | 'kind' | 'introductionId' | 'from' | 'to' | 'purpose' | 'scopes'>

const KEPT_SECONDS = 30 * 86_400
const MAX_TRIES = 20

/** An insert under the next number of the agent's inbox. Its commit fails where somebody else took the number: build it anew. */
async function posting({ inbox }: { readonly inbox: InboxStore }, agentId: AgentId, notice: Notice): Promise<Operation> {
  const { items } = await inbox.items.find('place', { where: { agentId }, order: 'down', limit: 1 })
  const seq = (items[0]?.seq ?? 0) + 1
  return inbox.items.inserting({
    ...notice,
    scopes: [...notice.scopes],
    id: `${agentId} ${seq}`,
    agentId,
    seq,
    expiresAt: notice.at + KEPT_SECONDS,
  })
}

/**
 * Tells agents what happened in one commit with it. `attempt` commits the operations that it is given besides its own, and says
 * `again` where one of them may have been in the way.
 */
export async function withNotices<T>(
  deps: { readonly inbox: InboxStore },
  notices: readonly { readonly agentId: AgentId; readonly notice: Notice }[],
  attempt: (operations: readonly Operation[]) => Promise<T | 'again'>,
): Promise<T> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const operations = await Promise.all(notices.map(({ agentId, notice }) => posting(deps, agentId, notice)))
    const outcome = await attempt(operations)
    if (outcome === 'again') continue
    deps.inbox.ring()
    return outcome
  }
  return refuse('unavailable', 'the inbox is too busy', { retryAfterSeconds: 1 })
}
