// Delivery of messages to webhooks, from a queue in the store (`webhook-deliveries`) that the commits of the changes write.
//
// An instance claims a message by moving its `dueAt`: of several instances one succeeds, and if it crashes another one claims the message after
// LEASE_SECONDS. So each message is delivered at least once; its id lets a receiver drop a repetition.
// A round reads PAGE messages and attempts at most MAX_ATTEMPTS_OF_WEBHOOK of one webhook. The others go to the end of the queue, so that a webhook that is
// slow or fails does not delay those of other organisations for longer than a round, which ends with the slowest attempt.
// Cost: one read of an index in INTERVAL_MS, and three writes for each message.

import { isRefusal } from '../../errors.js'
import { utf8 } from '../../lib/bytes.js'
import { type Clock, repeat } from '../../lib/clock.js'
import type { GuardedFetch } from '../../lib/guarded-fetch/guarded-fetch.js'
import type { Log } from '../../lib/log.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { ServedTrustLog } from '../../trust-log/trust-log.js'
import type { InboxStore } from '../inbox/store.js'
import { RETRY_SECONDS } from './deliveries.js'
import type { Delivery, Webhook } from './store.js'

interface DeliverDeps {
  readonly inbox: Pick<InboxStore, 'webhooks' | 'onPosted'>
  readonly guardedFetch: GuardedFetch
  readonly keyRing: KeyRing
  readonly trustLog: Pick<ServedTrustLog, 'now' | 'clockFault'>
  readonly clock: Pick<Clock, 'after' | 'now'>
  readonly log: Log
}

const INTERVAL_MS = 1000
const PAGE = 100
const LEASE_SECONDS = 60
const MAX_ATTEMPTS_OF_WEBHOOK = 2
const MAX_ATTEMPTS_OF_ROUND = 16

/** Delivers the messages that are due, once a second until `signal` aborts. */
export const runWebhookDelivery = (deps: DeliverDeps, signal: AbortSignal): Promise<void> =>
  repeat(deps.clock, INTERVAL_MS, signal, async () => {
    // A wrong clock would make every message due
    if (deps.trustLog.clockFault() !== undefined) return
    try {
      await deliverDue(deps)
    } catch (error) {
      deps.log.warn('messages of webhooks could not be delivered; the next attempt is in one second', { error: String(error) })
    }
  })

async function deliverDue(deps: DeliverDeps): Promise<void> {
  const { webhooks } = deps.inbox
  const now = deps.trustLog.now()
  const { items } = await webhooks.deliveries.find('due', { where: {}, limit: PAGE })
  const due = items.filter(({ dueAt }) => dueAt <= now)
  const byWebhook = new Map<string, Delivery[]>()
  for (const delivery of due) byWebhook.set(delivery.webhookId, [...(byWebhook.get(delivery.webhookId) ?? []), delivery])
  const claimed = [...byWebhook.values()].map((deliveries) => deliveries.slice(0, MAX_ATTEMPTS_OF_WEBHOOK))
  const attempted = claimed.flat().slice(0, MAX_ATTEMPTS_OF_ROUND)
  await Promise.all(attempted.map((delivery) => deliver(deps, delivery, now)))
  for (const { id, dueAt } of due.filter((delivery) => !attempted.includes(delivery)))
    await webhooks.deliveries.change(id, { dueAt }, { dueAt: deps.trustLog.now() + 1 })
}

/** Makes one attempt, if no other instance makes it. */
async function deliver(deps: DeliverDeps, { id, dueAt, attempts, webhookId }: Delivery, now: number): Promise<void> {
  const { webhooks } = deps.inbox
  const delivery = await webhooks.deliveries.change(id, { dueAt, attempts }, { dueAt: now + LEASE_SECONDS, attempts: attempts + 1 })
  if (!delivery) return
  const webhook = await webhooks.get(webhookId)
  // It was removed, or switched off
  if (!webhook || webhook.offSince !== undefined) return void (await webhooks.deliveries.take(id, {}))
  const outcome = await send(deps, webhook, delivery)
  const { changeId } = webhook
  switch (outcome) {
    case 'delivered':
      await webhooks.deliveries.take(id, {})
      await webhooks.change(webhookId, { changeId }, { lastDeliveredAt: deps.trustLog.now(), failingSince: undefined })
      return
    case 'busy':
      await webhooks.deliveries.change(id, { dueAt: delivery.dueAt }, { dueAt: deps.trustLog.now() + 1, attempts })
      return
    case 'failed':
      await afterFailure(deps, webhook, delivery)
  }
}

async function afterFailure(
  deps: DeliverDeps,
  { id: webhookId, orgId, changeId, failingSince }: Webhook,
  delivery: Delivery,
): Promise<void> {
  const { webhooks } = deps.inbox
  const now = deps.trustLog.now()
  const seconds = RETRY_SECONDS[delivery.attempts - 1]
  if (seconds !== undefined) {
    await webhooks.deliveries.change(delivery.id, { dueAt: delivery.dueAt }, { dueAt: now + seconds })
    if (failingSince === undefined) await webhooks.change(webhookId, { changeId }, { failingSince: now })
    return
  }
  // A setting that was made since then counts
  const off = await webhooks.change(webhookId, { changeId }, { offSince: now })
  await webhooks.deliveries.take(delivery.id, {})
  if (off)
    deps.log.warn('a webhook was switched off, because all attempts to deliver a message failed', {
      'webhook.id': webhookId,
      'organisation.id': orgId,
    })
}

/**
 * Sends one message. `busy`: it was not sent, because of a rate of the registry.
 *
 * @see [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md)
 */
async function send(
  { guardedFetch, keyRing, clock }: DeliverDeps,
  { url }: Webhook,
  delivery: Delivery,
): Promise<'delivered' | 'busy' | 'failed'> {
  const { id, event, introductionId, approvalId, from, to, orgId, createdAt } = delivery
  const body = JSON.stringify({
    type: event,
    timestamp: new Date(createdAt * 1000).toISOString(),
    data: { ...(introductionId && { introductionId }), ...(approvalId && { approvalId }), from, to, organizationId: orgId },
  })
  const timestamp = String(clock.now())
  const signature = await (await keyRing.signer('webhook')).sign(utf8(`${id}.${timestamp}.${body}`))
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1a,${Buffer.from(signature).toString('base64')}`,
  }
  try {
    await guardedFetch({ url, purpose: 'webhook', cause: { webhookUrl: url }, message: { body, headers } })
    return 'delivered'
  } catch (error) {
    if (!isRefusal(error)) throw error
    return error.reason === 'rate_limited' || error.reason === 'unavailable' ? 'busy' : 'failed'
  }
}
