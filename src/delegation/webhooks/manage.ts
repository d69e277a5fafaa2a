import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import { type Caller, isAdminOf } from '../../http/caller.js'
import { type Outgoing, readDestination } from '../../lib/guarded-fetch/destination.js'
import type { Random } from '../../lib/random.js'
import { MemberId, newId, type WebhookId } from '../../protocol/ids.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { InboxStore } from '../inbox/store.js'
import { MAX_WEBHOOKS, type Webhook, type WebhookEvent, webhooksOf } from './store.js'

export interface WebhookDeps {
  readonly inbox: Pick<InboxStore, 'webhooks'>
  readonly storage: Storage
  readonly trustLog: Pick<TrustLog, 'afterBarrier' | 'requireStillStanding'>
  readonly audit: Audit
  readonly random: Random
  readonly issuer: string
  readonly dev: boolean
  readonly outgoing: Outgoing
}

/** A webhook as the administrators of its organisation see it. */
export type WebhookView = ReturnType<typeof viewOf>

const viewOf = ({ id, url, events, createdAt, createdBy, lastDeliveredAt, failingSince, offSince }: Webhook) => ({
  webhookId: id,
  url,
  events,
  state: offSince === undefined ? ('on' as const) : ('off' as const),
  createdAt,
  createdBy,
  lastDeliveredAt,
  failingSince,
  offSince,
})

const requireAdmin = (caller: Caller): MemberId =>
  isAdminOf(caller, caller.orgId)
    ? MemberId.parse(caller.id)
    : refuse('forbidden', 'only an administrator manages the webhooks of an organisation')

const MAX_ATTEMPTS = 20

/** Creates the webhook for a URL, or changes its events. A webhook that was switched off is switched on. */
export async function setWebhook(
  deps: WebhookDeps,
  caller: Caller,
  { url: text, events }: { readonly url: string; readonly events?: readonly WebhookEvent[] | undefined },
): Promise<WebhookView> {
  const createdBy = requireAdmin(caller)
  const url = readDestination({ ...deps, ownAddresses: [] }, text)
  if (typeof url === 'string') return refuse('url_not_allowed', url, { faults: [{ pointer: '/url', hint: url }] })
  const { webhooks } = deps.inbox
  const settings = { events: events && [...events], failingSince: undefined, offSince: undefined, changeId: deps.random.token(16) }
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    const existing = await webhooksOf(webhooks, caller.orgId)
    const known = existing.find((one) => one.url === url.href)
    const slot = Array.from({ length: MAX_WEBHOOKS }, (_, i) => i).find((i) => !existing.some((one) => one.slot === i))
    if (!known && slot === undefined)
      refuse('conflict', `your organisation has ${MAX_WEBHOOKS} webhooks, the maximum: remove one (webhooks.remove)`)
    const webhook: Webhook = {
      ...(known ?? {
        id: newId(deps.random, 'whk'),
        orgId: caller.orgId,
        url: url.href,
        slot: slot ?? 0,
        createdAt: caller.barrier.now,
        createdBy,
      }),
      ...settings,
    }
    const saving = known ? webhooks.changing(known.id, { changeId: known.changeId }, settings) : webhooks.inserting(definedOf(webhook))
    const row = deps.audit.recording(auditDraft(caller, 'webhooks.set', { subject: webhook.id, facts: { host: url.host } }))
    if (!(await deps.storage.commit([saving, row])).ok) continue
    await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
    return viewOf(webhook)
  }
  return refuse('unavailable', 'too many concurrent changes: try again in a second', { retryAfterSeconds: 1 })
}

const definedOf = ({ events, failingSince: _, offSince: __, ...webhook }: Webhook): Webhook => ({ ...webhook, ...(events && { events }) })

/** Lists the webhooks of the caller's organisation. */
export const listWebhooks = (deps: WebhookDeps, caller: Caller): Promise<{ readonly items: readonly WebhookView[] }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    requireAdmin(caller)
    return { items: (await webhooksOf(deps.inbox.webhooks, caller.orgId)).map(viewOf) }
  })

/** Removes a webhook. Its messages that wait are dropped. */
export async function removeWebhook(deps: WebhookDeps, caller: Caller, id: WebhookId): Promise<{ readonly webhookId: WebhookId }> {
  requireAdmin(caller)
  const row = deps.audit.recording(auditDraft(caller, 'webhooks.remove', { subject: id }))
  const { ok } = await deps.storage.commit([deps.inbox.webhooks.taking(id, { orgId: caller.orgId }), row])
  return ok ? { webhookId: id } : refuse('not_found', 'your organisation has no such webhook')
}
