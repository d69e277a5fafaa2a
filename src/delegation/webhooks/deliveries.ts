import type { OrgId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import { type Delivery, WebhookEvent, type WebhooksStore, webhooksOf } from './store.js'

/** Seconds from a failed attempt to the next. After the last one the webhook is switched off. */
export const RETRY_SECONDS = [5, 300, 1800, 7200, 28_800, 86_400] as const
/** A message that could not be delivered for this long is dropped. */
const DELIVERY_SECONDS = 7 * 86_400

interface Notification extends Pick<Delivery, 'introductionId' | 'approvalId' | 'from' | 'to' | 'createdAt'> {
  readonly kind: string
  readonly revision: number
}

/** Operations for the commit of a change: a message to each webhook of the organisation that wants it. */
export async function deliveriesTo(
  { webhooks }: { readonly webhooks: WebhooksStore },
  orgId: OrgId,
  { kind, revision, introductionId, approvalId, from, to, createdAt }: Notification,
): Promise<readonly Operation[]> {
  const event = WebhookEvent.safeParse(`${introductionId === undefined ? 'approval' : 'introduction'}.${kind}`)
  if (!event.success) return []
  const receivers = (await webhooksOf(webhooks, orgId)).filter(
    ({ offSince, events }) => offSince === undefined && (events?.includes(event.data) ?? true),
  )
  return receivers.map(({ id: webhookId }) =>
    webhooks.deliveries.inserting({
      id: `${webhookId}.${introductionId ?? approvalId}.${revision}`,
      webhookId,
      orgId,
      event: event.data,
      ...(introductionId && { introductionId }),
      ...(approvalId && { approvalId }),
      from,
      to,
      createdAt,
      attempts: 0,
      dueAt: createdAt,
      expiresAt: createdAt + DELIVERY_SECONDS,
    }),
  )
}
