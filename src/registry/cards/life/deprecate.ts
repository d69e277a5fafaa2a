import { auditDraft } from '../../../audit/audit-draft.js'
import { isRefusal, refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { AgentId } from '../../../protocol/ids.js'
import { type PublishDeps, requirePublisher } from '../authority.js'
import { unchangedGuard } from '../card.js'
import type { Card } from '../card-record.js'
import { requirePublishedCard } from '../get.js'
import { indexingAsOfNow } from '../search-rows/as-of-now.js'

interface DeprecateInput {
  readonly agentId: AgentId
  readonly successor?: AgentId | undefined
  readonly note?: string | undefined
}

export interface CardDeprecated {
  readonly version: number
  readonly deprecated: boolean
}

/**
 * Advises callers against the current version of a card, and names the agent to call in its place. Nothing ends: introductions and tokens stay valid.
 * The next version of the card is not deprecated.
 */
export async function deprecateCard(
  deps: PublishDeps,
  caller: Caller,
  { agentId, successor, note }: DeprecateInput,
): Promise<CardDeprecated> {
  await requirePublisher(deps, caller, agentId)
  if (successor !== undefined) await requireSuccessor(deps, agentId, successor)
  const deprecated = { at: caller.barrier.now, ...(successor && { successor }), ...(note !== undefined && { note }) }
  return changeDeprecation(deps, caller, agentId, deprecated)
}

/** Takes a deprecation back. */
export async function undeprecateCard(deps: PublishDeps, caller: Caller, agentId: AgentId): Promise<CardDeprecated> {
  await requirePublisher(deps, caller, agentId)
  return changeDeprecation(deps, caller, agentId, undefined)
}

async function changeDeprecation(
  deps: PublishDeps,
  caller: Caller,
  agentId: AgentId,
  deprecated: Card['deprecated'],
): Promise<CardDeprecated> {
  const card = await deps.cards.get(agentId)
  if (!card || card.unpublished) return refuse('not_found', 'the agent has no published card')
  if (!deprecated && !card.deprecated) return refuse('conflict', `version ${card.version} of the card is not deprecated`)
  const { version, orgId } = card
  const action = deprecated ? 'cards.deprecate' : 'cards.undeprecate'
  const facts = { version, ...(deprecated?.successor && { successor: deprecated.successor }) }
  const { ok } = await deps.storage.commit([
    deps.cards.changing(agentId, unchangedGuard(card), { deprecated, changeId: deps.random.token(8) }),
    ...(await indexingAsOfNow(deps, { ...card, deprecated })),
    deps.audit.recording(auditDraft(caller, action, { orgId, subject: agentId, facts })),
  ])
  if (!ok) refuse('card_version_stale', 'the card was changed concurrently; read it and try again')
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return { version, deprecated: deprecated !== undefined }
}

/** A successor is another agent whose card callers can read. */
async function requireSuccessor(deps: PublishDeps, agentId: AgentId, successor: AgentId): Promise<void> {
  const deny = (hint: string) => refuse('bad_input', 'this agent cannot be the successor', { faults: [{ pointer: '/successor', hint }] })
  if (successor === agentId) deny('name another agent; a new version of the card needs no deprecation')
  const isPublished = await requirePublishedCard(deps, successor).then(
    () => true,
    (error: unknown) => {
      if (isRefusal(error) && (error.reason === 'not_found' || error.reason === 'gone')) return false
      throw error
    },
  )
  if (!isPublished) deny('no agent with this id has a published card')
}
