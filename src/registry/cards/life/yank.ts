import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { RevocationReason } from '../../../protocol/end-reason.js'
import { newHandle } from '../../../protocol/handles.js'
import type { AgentId } from '../../../protocol/ids.js'
import type { Position } from '../../../protocol/log/entry.js'
import type { PublishDeps } from '../authority.js'
import { unchangedGuard } from '../card.js'
import { type Card, MAX_YANKED_VERSIONS } from '../card-record.js'
import { indexingAsOfNow } from '../search-rows/as-of-now.js'
import { unindexingRows } from '../store.js'
import { versionId } from './earlier-version.js'
import { type Withdrawal, withdraw } from './withdraw.js'

interface YankInput {
  readonly agentId: AgentId
  readonly version: number
}

/**
 * Withdraws one version of a card for a reason, which the history shows to everyone. Introductions that were approved for the version need another approval.
 * Yanking the current version leaves the agent without a published card; no earlier version returns.
 */
export const yankVersion = (
  deps: PublishDeps,
  caller: Caller,
  { agentId, version }: YankInput,
  because: RevocationReason,
): Promise<{ position: Position }> =>
  withdraw(deps, caller, agentId, {
    type: 'card.yanked',
    draft: (orgId) => auditDraft(caller, 'cards.yank', { orgId, subject: agentId, facts: { version } }),
    because,
    withdrawalOf: (card) => {
      const yanked = { at: caller.barrier.now, ...because }
      return version === card.version ? yankingCurrent(deps, card, yanked) : yankingEarlier(deps, card, version, yanked)
    },
  })

/** The card is withdrawn. Whatever depends on a tier of the card depends on its connection too. */
function yankingCurrent({ cards, random }: PublishDeps, card: Card, yanked: NonNullable<Card['yanked']>): Withdrawal {
  if (card.yanked) return refuseYanked(card.version)
  if (card.unpublished) return refuse('not_found', 'the agent has no published card')
  return {
    ends: [{ handle: card.versions.connection }],
    operations: [
      cards.changing(card.agentId, unchangedGuard(card), { unpublished: true, yanked, changeId: random.token(8) }),
      ...unindexingRows(card.agentId),
    ],
  }
}

/**
 * The current card stays. Its connection gets a new version, so that every introduction is compared with it again, and those that were approved for the
 * yanked version are found.
 */
async function yankingEarlier(deps: PublishDeps, card: Card, version: number, yanked: NonNullable<Card['yanked']>): Promise<Withdrawal> {
  const { cards, random } = deps
  const id = versionId(card.agentId, version)
  const earlier = await cards.earlierVersions.get(id)
  if (!earlier) return refuse('not_found', `the card has no version ${version}, or it is no longer kept (see cards.history)`)
  if (earlier.yanked) return refuseYanked(version)
  const marking = cards.earlierVersions.changing(id, { yanked: null }, { yanked })
  if (card.unpublished) return { ends: [], operations: [marking] }
  const yankedVersions = [...(card.yankedVersions ?? []), version]
  if (yankedVersions.length > MAX_YANKED_VERSIONS)
    refuse('conflict', `${MAX_YANKED_VERSIONS} versions of the card were yanked, the maximum: unpublish the card and publish it again`)
  const next = {
    versions: { ...card.versions, connection: newHandle(random, 'ver') },
    yankedVersions,
    changeId: random.token(8),
  }
  return {
    ends: [{ handle: card.versions.connection }],
    operations: [cards.changing(card.agentId, unchangedGuard(card), next), marking, ...(await indexingAsOfNow(deps, { ...card, ...next }))],
  }
}

const refuseYanked = (version: number): never => refuse('already_revoked', `version ${version} of the card was yanked earlier`)
