import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import { newHandle } from '../../../protocol/handles.js'
import { AgentId, newId } from '../../../protocol/ids.js'
import { withNotifications } from '../../inbox/post.js'
import { requireStanding, requireTaskToWorkUnder } from '../../tasks/authority.js'
import { requireFreeSlot, reservingSlot } from '../decide/quota-slots.js'
import { type CapabilityInput, requireWithinCeiling } from '../decide/requestable.js'
import { DEFAULT_SECONDS, PENDING_SECONDS, RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { IntroductionView } from '../view.js'
import { requestViewOf } from './find.js'
import { type CapabilityRequest, newJob } from './store.js'

/** The agents with the capability are looked for this long after the response, so that the work for one request does not delay the next. */
const MATCH_AFTER_SECONDS = 5

/**
 * Requests an introduction to any agent with a capability, which may be non-public. Nothing here reads a card: the writes and the response are
 * the same whether or not any agent has the capability (`match.ts` looks for them later).
 */
export async function requestCapability(deps: IntroductionDeps, caller: Caller, input: CapabilityInput): Promise<IntroductionView> {
  const { now } = caller.barrier
  const from = AgentId.safeParse(caller.id)
  if (!from.success) return refuse('forbidden', 'only an agent can request an introduction')
  await requireWithinCeiling(deps, from.data, input)
  const task = input.taskId === undefined ? undefined : await requireTaskToWorkUnder(deps, caller, input.taskId)
  if (task) requireStanding(deps, task, now)
  const { scopes, tools, resources, delegation } = input
  const request: Omit<CapabilityRequest, 'slot'> = {
    id: newId(deps.random, 'int'),
    from: from.data,
    fromOrg: caller.orgId,
    capability: input.capability,
    purpose: input.purpose,
    ...(scopes && { scopes: [...scopes] }),
    ...(tools && { tools: [...tools] }),
    ...(resources && { resources: [...resources] }),
    ...(delegation && { delegation }),
    ...(input.taskId && { taskId: input.taskId }),
    seconds: input.seconds ?? DEFAULT_SECONDS,
    state: 'pending',
    handle: newHandle(deps.random, 'int'),
    createdAt: now,
    pendingUntil: now + PENDING_SECONDS,
    purgeAt: now + PENDING_SECONDS + RETENTION_SECONDS,
  }
  const created = await withNotifications(deps, () => create(deps, caller, request))
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return requestViewOf(deps, created, now, deps.audit.history(caller))
}

/** Of two requests of one agent that picked the same slot, the second one retries. */
async function create(
  { capabilities: { requests, jobs }, introductions, storage, audit }: IntroductionDeps,
  caller: Caller,
  draft: Omit<CapabilityRequest, 'slot'>,
): Promise<CapabilityRequest | 'retry'> {
  const request = { ...draft, slot: await requireFreeSlot(introductions, draft) }
  const { ok } = await storage.commit([
    requests.inserting(request),
    reservingSlot(introductions, request, request.slot),
    jobs.inserting(newJob(request, 'match', request.createdAt + MATCH_AFTER_SECONDS)),
    audit.recording(auditDraft(caller, 'introductions.request', { subject: request.id })),
  ])
  return ok ? request : 'retry'
}
