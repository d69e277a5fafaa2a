// A notice is posted in one commit with what it tells of, under a random name, so it is never in the way of that: however many post at
// once, nothing competes. It gets its number from the next reader.
import { refuse } from '../../errors.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import type { InboxItem, InboxStore } from './store.js'

export type InboxNotification = Pick<InboxItem, 'at' | 'kind' | 'introductionId' | 'from' | 'to' | 'purpose' | 'scopes'>

const KEPT_SECONDS = 30 * 86_400
const MAX_TRIES = 20
const PAGE = 100

/**
 * Tells agents what happened in one commit with it. `attempt` commits the operations that it is given besides its own, and says
 * `again` where it must be decided anew.
 */
export async function withNotifications<T>(
  { inbox }: { readonly inbox: InboxStore },
  notices: readonly { readonly agentId: AgentId; readonly notice: InboxNotification }[],
  attempt: (operations: readonly Operation[]) => Promise<T | 'again'>,
): Promise<T> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const outcome = await attempt(notices.map(({ agentId, notice }) => posting(inbox, agentId, notice)))
    if (outcome === 'again') continue
    inbox.ring()
    return outcome
  }
  return refuse('unavailable', 'too much happens at once here', { retryAfterSeconds: 1 })
}

const posting = ({ posted, random }: InboxStore, agentId: AgentId, notice: InboxNotification): Operation =>
  posted.inserting({ ...notice, scopes: [...notice.scopes], id: random.token(16), agentId, expiresAt: notice.at + KEPT_SECONDS })

/** Gives numbers to what was posted before this was called, the oldest first. Of several that try at once one does it for all. */
export async function assignPositions({ inbox }: { readonly inbox: InboxStore }, agentId: AgentId): Promise<void> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const { items } = await inbox.posted.find('agent', { where: { agentId }, limit: PAGE })
    if (items.length === 0) return
    const [head, newest] = await Promise.all([inbox.heads.get(agentId), newestNumber(inbox, agentId)])
    const last = Math.max(head?.seq ?? 0, newest)
    const seq = last + items.length
    await inbox.storage.commit([
      head ? inbox.heads.changing(agentId, { seq: head.seq }, { seq }) : inbox.heads.inserting({ agentId, seq }),
      ...items.flatMap((item, i) => [
        inbox.posted.taking(item.id, {}),
        inbox.items.inserting({ ...item, id: `${agentId} ${last + i + 1}`, seq: last + i + 1 }),
      ]),
    ])
  }
}

/** Also of an inbox that was written before it had a head. */
async function newestNumber({ items }: InboxStore, agentId: AgentId): Promise<number> {
  const page = await items.find('place', { where: { agentId }, order: 'down', limit: 1 })
  return page.items[0]?.seq ?? 0
}
