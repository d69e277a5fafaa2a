import { z } from 'zod'
import { AgentId, ApprovalId, IntroductionId, MemberId, OrgId, TargetId, WebhookId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** The notifications to an organisation that a webhook can get. */
const WEBHOOK_EVENTS = [
  'introduction.requested',
  'introduction.needsApproval',
  'introduction.granted',
  'introduction.denied',
  'approval.requested',
  'approval.granted',
  'approval.denied',
  'approval.ended',
] as const
export const WebhookEvent = z.enum(WEBHOOK_EVENTS)
export type WebhookEvent = z.infer<typeof WebhookEvent>
export const WebhookEvents = z.array(WebhookEvent).min(1).max(WEBHOOK_EVENTS.length)

/** A URL of an organisation that gets its notifications. */
const Webhook = z.strictObject({
  id: WebhookId,
  orgId: OrgId,
  url: z.string().max(2048),
  /** Absent: all. */
  events: WebhookEvents.optional(),
  /** The quota slot of its organisation that it occupies. */
  slot: z.int().min(0),
  createdAt: z.int(),
  createdBy: MemberId,
  /** Changes with every setting: a setting replaces what a delivery has found. */
  changeId: z.string().max(22),
  lastDeliveredAt: z.int().optional(),
  /** Since when its messages fail. */
  failingSince: z.int().optional(),
  /** When it was switched off, because all attempts for a message had failed. */
  offSince: z.int().optional(),
})
export type Webhook = z.infer<typeof Webhook>

/** A message that waits for its delivery. It was written in the commit of the change that it reports. */
const Delivery = z.strictObject({
  /** `<webhook>.<introduction or approval>.<revision>`, the id of the message for its receiver. */
  id: z.string().max(96),
  webhookId: WebhookId,
  orgId: OrgId,
  event: WebhookEvent,
  introductionId: IntroductionId.optional(),
  approvalId: ApprovalId.optional(),
  from: z.union([AgentId, OrgId]),
  to: z.union([TargetId, OrgId]),
  createdAt: z.int(),
  /** Attempts that have begun. */
  attempts: z.int().min(0),
  /** When an instance may claim the next attempt. A claim moves it on, so that the attempt is made again if the instance crashes. */
  dueAt: z.int(),
  expiresAt: z.int(),
})
export type Delivery = z.infer<typeof Delivery>

export interface WebhooksStore extends Collection<Webhook> {
  readonly deliveries: Collection<Delivery>
}

export const WEBHOOKS: OwnedSpec<Webhook> = {
  name: 'webhooks',
  schema: Webhook,
  key: 'id',
  indexes: { slot: { fields: ['orgId', 'slot'], unique: true }, url: { fields: ['orgId', 'url'], unique: true } },
  ownedBy: ['orgId'],
}

export const WEBHOOK_DELIVERIES: OwnedSpec<Delivery> = {
  name: 'webhook-deliveries',
  schema: Delivery,
  key: 'id',
  indexes: { due: { fields: ['dueAt'] } },
  expires: 'expiresAt',
  ownedBy: ['orgId'],
}

export const webhooksStore = ({ storage }: { readonly storage: Storage }): WebhooksStore => ({
  ...storage.collection(WEBHOOKS),
  deliveries: storage.collection(WEBHOOK_DELIVERIES),
})

/** Maximum number of webhooks of an organisation. */
export const MAX_WEBHOOKS = 8

export const webhooksOf = async (webhooks: WebhooksStore, orgId: OrgId): Promise<readonly Webhook[]> =>
  (await webhooks.find('slot', { where: { orgId }, limit: MAX_WEBHOOKS })).items
