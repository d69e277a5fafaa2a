// Notifications to agents and organisations, through a transactional outbox. A change and its notifications are written in one commit. The notifications go
// to the outbox under ids of their own, so concurrent commits never conflict over them. A reader of an inbox then moves its notifications from
// the outbox to the inbox and gives them the next positions.
// Cost: a read of an inbox with new notifications makes one more commit for every 100 of them.
// Order: by creation time in whole seconds. Notifications of one introduction keep the order of its changes: each change has a number, and its time is
// never before that of the previous change.
import { refuse } from '../../errors.js'
import { OrgId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import { deliveriesTo } from '../webhooks/deliveries.js'
import type { InboxNotification, InboxStore, Recipient } from './store.js'

type NotificationDraft = Pick<
  InboxNotification,
  'createdAt' | 'revision' | 'kind' | 'introductionId' | 'approvalId' | 'from' | 'to' | 'purpose' | 'capability' | 'scopes'
>

const NOTIFICATION_RETENTION_SECONDS = 30 * 86_400
const MAX_ATTEMPTS = 20
const PAGE = 100

/**
 * Runs `attempt`, which commits a change together with its notifications. An attempt that returns `retry` lost to a concurrent change and runs
 * again; after 20 attempts the request is refused as unavailable.
 */
export async function withNotifications<T>({ inbox }: { readonly inbox: InboxStore }, attempt: () => Promise<T | 'retry'>): Promise<T> {
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    const outcome = await attempt()
    if (outcome === 'retry') continue
    inbox.notifyPosted()
    return outcome
  }
  return refuse('unavailable', 'too many concurrent changes: try again in a second', { retryAfterSeconds: 1 })
}

/** Operations for the commit of the change. An organisation gets the notification also by its webhooks. */
export async function postingTo(
  { inbox: { outbox, webhooks } }: { readonly inbox: InboxStore },
  recipients: readonly Recipient[],
  notification: NotificationDraft,
): Promise<readonly Operation[]> {
  const { introductionId, approvalId, revision, createdAt } = notification
  const about = `${introductionId ?? approvalId} ${String(revision).padStart(9, '0')}`
  const posts = recipients.map((agentId) =>
    outbox.inserting({
      ...notification,
      scopes: [...notification.scopes],
      // If two notifications have the same second, the one with the lower id comes first.
      id: `${about} ${agentId}`,
      agentId,
      expiresAt: createdAt + NOTIFICATION_RETENTION_SECONDS,
    }),
  )
  const organisations = recipients.flatMap((recipient) => OrgId.safeParse(recipient).data ?? [])
  const deliveries = await Promise.all(organisations.map((orgId) => deliveriesTo({ webhooks }, orgId, notification)))
  return [...posts, ...deliveries.flat()]
}

/**
 * Moves the agent's notifications from the outbox to the inbox, oldest first. The change of the last position is guarded, so only one of
 * several concurrent callers moves them. After MAX_ATTEMPTS commits, the remaining notifications wait for the next read.
 */
export async function assignPositions({ inbox }: { readonly inbox: InboxStore }, agentId: Recipient): Promise<void> {
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    const { items } = await inbox.outbox.find('agent', { where: { agentId }, limit: PAGE })
    if (items.length === 0) return
    const [stored, newest] = await Promise.all([inbox.lastPositions.get(agentId), newestPosition(inbox, agentId)])
    const before = Math.max(stored?.lastPosition ?? 0, newest)
    const lastPosition = before + items.length
    await inbox.storage.commit([
      stored
        ? inbox.lastPositions.changing(agentId, { lastPosition: stored.lastPosition }, { lastPosition })
        : inbox.lastPositions.inserting({ agentId, lastPosition }),
      ...items.flatMap((item, i) => {
        const position = before + i + 1
        return [inbox.outbox.taking(item.id, {}), inbox.notifications.inserting({ ...item, id: `${agentId} ${position}`, position })]
      }),
    ])
  }
}

/** Keeps positions unique where the inbox has notifications but no `inbox-positions` record. */
async function newestPosition({ notifications }: InboxStore, agentId: Recipient): Promise<number> {
  const page = await notifications.find('position', { where: { agentId }, order: 'down', limit: 1 })
  return page.items[0]?.position ?? 0
}
