import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import { type Handle, identitiesOf, newHandle } from '../../../protocol/handles.js'
import type { Operation } from '../../../storage/storage.js'
import type { PublishDeps } from '../authority.js'
import { unchangedGuard } from '../card.js'
import type { Card } from '../card-record.js'
import { endedVersion } from '../card-versions.js'
import { earlierVersionOf, MAX_EARLIER_VERSIONS, versionId } from '../life/earlier-version.js'
import { indexingAsOfNow } from '../search-rows/as-of-now.js'
import { indexingRows } from '../store.js'

interface CardSave {
  readonly previous: Card | undefined
  readonly card: Card
  readonly dependsOn: readonly Handle[]
  /** Further operations of the same commit. */
  readonly also?: readonly Operation[]
  /** True if only non-public parts change: neither the public card nor the log may show that this card changed. */
  readonly onlyNonPublic?: boolean
  /** The host that an imported card was fetched from, for the audit row. */
  readonly host?: string
}

/**
 * Creates or changes the card's record, and notifies both sides of introductions that rely on a removed part. Of two publishers that read the
 * same record, one succeeds and the other gets `card_version_stale`.
 */
export async function saveCard(deps: PublishDeps, caller: Caller, save: CardSave, action: string): Promise<void> {
  const { previous, card, dependsOn, also = [], onlyNonPublic = false, host } = save
  const { agentId, ...fields } = card
  const saving = previous
    ? deps.cards.changing(agentId, unchangedGuard(previous), { ...clearedFields(previous, card), ...fields })
    : deps.cards.inserting(card)
  const facts = { version: card.version, state: card.verdict.state, ...(host !== undefined && { host }) }
  const draft = auditDraft(caller, action, { orgId: card.orgId, subject: card.agentId, facts })
  const ended = previous && !previous.unpublished ? endedVersion(previous, card) : undefined
  const recording = deps.audit.recordingEnd(draft, { ends: ended ? [{ handle: ended }] : [], reason: 'superseded' })
  const keeping = previous && previous.version !== card.version ? await keepingVersion(deps, previous, caller.barrier.now) : []
  const operations = [saving, ...keeping, ...recording, ...also]
  if (onlyNonPublic && !ended) {
    if (!(await deps.storage.commit([...operations, ...(await indexingAsOfNow(deps, card))])).ok) refuseStale()
    return
  }
  // A publication is public, but what it takes away of non-public parts is not: its entry ends one handle, which may be a decoy. A change of
  // non-public parts is logged like the change of any record, so the log does not show which card changed.
  const { outcome } = await deps.trustLog.commit({
    type: onlyNonPublic ? 'record.changed' : 'card.published',
    ends: [{ handle: ended ?? newHandle(deps.random, 'ver') }],
    dependsOn: [...dependsOn, ...(ended ? [ended] : []), ...identitiesOf(caller.dependencies.handles)],
    operations: [...operations, ...indexingRows(card)],
  })
  if (outcome === 'conflict') refuseStale()
  if (outcome === 'committed') return ended && deps.notifyOfChanges(agentId)
  const current = await deps.cards.get(card.agentId)
  if (current?.version !== previous?.version || current?.revision !== previous?.revision) refuseStale()
  refuse('conflict', 'the agent, its organisation, the signing key, the proof of its namespace or your own access was revoked concurrently')
}

/** Operations that keep the replaced version, and remove the oldest one when there are more than MAX_EARLIER_VERSIONS. */
async function keepingVersion({ cards: { earlierVersions } }: PublishDeps, replaced: Card, now: number): Promise<readonly Operation[]> {
  const oldest = versionId(replaced.agentId, replaced.version - MAX_EARLIER_VERSIONS)
  const isFull = (await earlierVersions.get(oldest)) !== undefined
  return [earlierVersions.inserting(earlierVersionOf(replaced, now)), ...(isFull ? [earlierVersions.taking(oldest, {})] : [])]
}

const refuseStale = (): never => refuse('card_version_stale', 'the card was published concurrently; read the next version and sign again')

/** The fields of `previous` that `card` lacks. */
const clearedFields = (previous: Card, card: Card): Record<string, undefined> =>
  Object.fromEntries(
    Object.keys(previous)
      .filter((name) => !(name in card))
      .map((name) => [name, undefined]),
  )
