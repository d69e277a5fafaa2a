import { z } from 'zod'
import { newListeners } from '../../lib/listeners.js'
import { AgentId, ApprovalId, IntroductionId, OrgId, TargetId } from '../../protocol/ids.js'
import { Scope } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { type WebhooksStore, webhooksStore } from '../webhooks/store.js'

const NotificationKind = z.enum(['requested', 'granted', 'denied', 'ended', 'needsApproval'])

/** The owner of an inbox. */
const Recipient = z.union([AgentId, OrgId])
export type Recipient = z.infer<typeof Recipient>

/** Written in the same commit as the change that it reports. It has no position yet. */
const OutboxNotification = z.strictObject({
  /** `<introduction or approval> <revision> <recipient>`. */
  id: z.string().max(96),
  /** The recipient: an agent, or the members of an organisation. */
  agentId: Recipient,
  /** Never before that of the previous change of the introduction or approval. */
  createdAt: z.int(),
  /** Number of the change of the introduction or approval. */
  revision: z.int().min(0),
  kind: NotificationKind,
  /** The introduction or the approval that it is about. */
  introductionId: IntroductionId.optional(),
  approvalId: ApprovalId.optional(),
  /** The requester and the target. Of an approval of a consent, both are the organisation of the person. */
  from: Recipient,
  to: z.union([TargetId, OrgId]),
  purpose: z.string().max(512),
  /** Set if the requester asked for a capability and must not learn which agents were asked: the notification is for the target only. */
  capability: z.string().max(256).optional(),
  scopes: z.array(Scope).max(64),
  expiresAt: z.int(),
})
type OutboxNotification = z.infer<typeof OutboxNotification>

/** A notification with its position in the recipient's inbox. Positions are assigned from 1 without gaps. */
const InboxNotification = OutboxNotification.extend({ position: z.int().min(1) })
export type InboxNotification = z.infer<typeof InboxNotification>

/** The last position that an inbox has assigned. The record does not expire, so a position that an agent has read up to is never reused. */
const InboxPosition = z.strictObject({ agentId: Recipient, lastPosition: z.int().min(1) })
type InboxPosition = z.infer<typeof InboxPosition>

export interface InboxStore {
  readonly storage: Pick<Storage, 'commit'>
  readonly outbox: Collection<OutboxNotification>
  readonly notifications: Collection<InboxNotification>
  readonly lastPositions: Collection<InboxPosition>
  readonly webhooks: WebhooksStore
  /** Wakes the watchers of this instance after a commit that wrote to the outbox. */
  notifyPosted(): void
  onPosted(listener: () => void): () => void
}

export const NOTIFICATION_OUTBOX: OwnedSpec<OutboxNotification> = {
  name: 'notification-outbox',
  schema: OutboxNotification,
  key: 'id',
  indexes: { agent: { fields: ['agentId', 'createdAt'] } },
  expires: 'expiresAt',
  ownedBy: ['agentId', 'from', 'to'],
}

export const INBOX: OwnedSpec<InboxNotification> = {
  name: 'inbox',
  schema: InboxNotification,
  key: 'id',
  indexes: { position: { fields: ['agentId', 'position'], unique: true } },
  expires: 'expiresAt',
  ownedBy: ['agentId', 'from', 'to'],
}

export const INBOX_POSITIONS: OwnedSpec<InboxPosition> = {
  name: 'inbox-positions',
  schema: InboxPosition,
  key: 'agentId',
  indexes: {},
  ownedBy: ['agentId'],
}

export function inboxStore({ storage }: { storage: Storage }): InboxStore {
  const listeners = newListeners()
  return {
    storage,
    outbox: storage.collection(NOTIFICATION_OUTBOX),
    notifications: storage.collection(INBOX),
    lastPositions: storage.collection(INBOX_POSITIONS),
    webhooks: webhooksStore({ storage }),
    notifyPosted: listeners.notify,
    onPosted: listeners.add,
  }
}
