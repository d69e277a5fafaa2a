import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { GuardedFetch } from '../../../lib/guarded-fetch/guarded-fetch.js'
import type { Freshness } from '../../../protocol/cards/card-view.js'
import type { AgentId } from '../../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from '../authority.js'
import type { Card } from '../card-record.js'
import { observe, ownCardUrl } from './observe.js'
import { type FreshnessRecord, type FreshnessStore, freshnessOf } from './store.js'

export const CHECK_SECONDS = 86_400

export interface FreshnessDeps extends PublishDeps {
  readonly freshness: FreshnessStore
  readonly guardedFetch: GuardedFetch
}

/**
 * Compares the published card with the one that the agent serves itself, and asks its endpoint. A version of a card is checked once a day:
 * earlier calls return the last result. With the schedule on, the check is repeated every day from then on.
 */
export async function checkFreshness(deps: FreshnessDeps, caller: Caller, agentId: AgentId): Promise<Freshness> {
  await requirePublisher(deps, caller, agentId)
  const [card, previous] = await Promise.all([deps.cards.get(agentId), deps.freshness.get(agentId)])
  if (!card || card.unpublished) return refuse('not_found', 'no such card')
  const isRecent = previous?.version === card.version && previous.checkedAt + CHECK_SECONDS > caller.barrier.now
  if (isRecent) return freshnessOf(previous)
  const checked = await check(deps, card, previous, caller)
  const facts = { card: checked.card, host: new URL(checked.url).host }
  await deps.audit.record(auditDraft(caller, 'cards.checkFreshness', { orgId: card.orgId, subject: agentId, facts }))
  return freshnessOf(checked)
}

/** Checks the card and stores the result. Of a state that has not changed, the time since when is kept. */
export async function check(
  deps: Pick<FreshnessDeps, 'freshness' | 'guardedFetch' | 'trustLog'>,
  card: Card,
  previous: FreshnessRecord | undefined,
  caller?: Pick<Caller, 'id' | 'orgId'>,
): Promise<FreshnessRecord> {
  const url =
    ownCardUrl(card) ?? refuse('conflict', 'the card names no endpoint that can be called, so there is nothing to compare it with')
  const seen = await observe(deps, card, url, caller)
  const now = deps.trustLog.now()
  const { agentId, orgId, version } = card
  const record = {
    agentId,
    orgId,
    version,
    ...seen,
    cardSince: previous?.card === seen.card ? previous.cardSince : now,
    ...(seen.endpoint !== undefined && {
      endpointSince: previous?.endpoint === seen.endpoint ? (previous.endpointSince ?? now) : now,
    }),
    checkedAt: now,
    nextCheckAt: now + CHECK_SECONDS,
  }
  if ((await deps.freshness.insert(record)) === 'inserted') return record
  const { agentId: _, ...fields } = record
  const absent = { differs: undefined, endpoint: undefined, endpointSince: undefined }
  return (await deps.freshness.change(agentId, {}, { ...absent, ...fields })) ?? record
}
