import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { RevocationReason } from '../../../protocol/end-reason.js'
import { newHandle } from '../../../protocol/handles.js'
import type { AgentId } from '../../../protocol/ids.js'
import type { Ending, Position } from '../../../protocol/log/entry.js'
import type { Operation } from '../../../storage/storage.js'
import { type PublishDeps, requirePublisher } from '../authority.js'
import { unchangedGuard } from '../card.js'
import { type Card, MAX_YANKED_VERSIONS } from '../card-record.js'
import { indexingRows, unindexingRows } from '../store.js'
import { versionId } from './earlier-version.js'

const MAX_ATTEMPTS = 10

interface YankInput {
  readonly agentId: AgentId
  readonly version: number
}

/** The writes of a yank, and the handles that it ends. */
interface Yanking {
  readonly ends: readonly Ending[]
  readonly operations: readonly Operation[]
}

/**
 * Withdraws one version of a card for a reason, which the history shows to everyone. Introductions that were approved for the version need another approval.
 * Yanking the current version leaves the agent without a published card; no earlier version returns. If the card is changed at the same time, it
 * is read again; after MAX_ATTEMPTS such changes the call is refused with `conflict`.
 */
export async function yankVersion(
  deps: PublishDeps,
  caller: Caller,
  { agentId, version }: YankInput,
  because: RevocationReason,
): Promise<{ position: Position }> {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (attempt > 0) await deps.trustLog.readBarrier()
    const { orgId } = await requirePublisher(deps, caller, agentId, 'withdraw')
    const card = (await deps.cards.get(agentId)) ?? refuse('not_found', 'the agent has no card')
    const yanked = { at: caller.barrier.now, ...because }
    const { ends, operations } =
      version === card.version ? yankingCurrent(deps, card, yanked) : await yankingEarlier(deps, card, version, yanked)
    const draft = auditDraft(caller, 'cards.yank', { orgId, subject: agentId, facts: { version } })
    const committed = await deps.trustLog.commit({
      type: 'card.yanked',
      ends,
      dependsOn: [],
      operations: [...operations, ...deps.audit.recordingEnd(draft, { ends, ...because })],
    })
    if (committed.outcome !== 'committed') continue
    await deps.notifyOfChanges(agentId)
    return { position: committed.position }
  }
  return refuse('conflict', `the card was changed concurrently ${MAX_ATTEMPTS} times; try again`)
}

/** The card is withdrawn. Whatever depends on a tier of the card depends on its connection too. */
function yankingCurrent({ cards, random }: PublishDeps, card: Card, yanked: NonNullable<Card['yanked']>): Yanking {
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
async function yankingEarlier(
  { cards, random }: PublishDeps,
  card: Card,
  version: number,
  yanked: NonNullable<Card['yanked']>,
): Promise<Yanking> {
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
    operations: [cards.changing(card.agentId, unchangedGuard(card), next), marking, ...indexingRows({ ...card, ...next })],
  }
}

const refuseYanked = (version: number): never => refuse('already_revoked', `version ${version} of the card was yanked earlier`)
