import { auditDraft } from '../../../audit/audit-draft.js'
import type { Caller } from '../../../http/caller.js'
import { newHandle } from '../../../protocol/handles.js'
import { newId } from '../../../protocol/ids.js'
import { withNotifications } from '../../inbox/post.js'
import { requireStanding, requireTaskToWorkUnder } from '../../tasks/authority.js'
import { requireFreeSlot, reservingSlot } from '../decide/quota-slots.js'
import { type CapabilityInput, requireWithinCeiling } from '../decide/requestable.js'
import type { IntroductionRequester } from '../decide/requester.js'
import { DEFAULT_SECONDS, PENDING_SECONDS, RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { IntroductionView } from '../view.js'
import { requestViewOf } from './find.js'
import { type CapabilityRequest, newJob } from './store.js'

/** The agents with the capability are looked for this long after the response, so that the work for one request does not delay the next. */
const MATCH_AFTER_SECONDS = 5
/** The distance between the matches of one organisation, so that the requests of one do not delay those of others. */
const MATCH_DISTANCE_MS = 250
/** As many requests as an organisation can make in a second: those of one second have no order. */
const NEWEST = 50

/**
 * Requests an introduction to any agent with a capability, which may be non-public. Nothing here reads a card: the writes and the response are
 * the same whether or not any agent has the capability (`match.ts` looks for them later).
 */
export async function requestCapability(
  deps: IntroductionDeps,
  caller: Caller,
  requester: IntroductionRequester,
  input: CapabilityInput,
): Promise<IntroductionView> {
  const { now } = caller.barrier
  await requireWithinCeiling(deps, requester.id, input)
  const task = input.taskId === undefined ? undefined : await requireTaskToWorkUnder(deps, requester, input.taskId)
  if (task) requireStanding(deps, task, now)
  const { scopes, tools, resources, delegation } = input
  const request: Draft = {
    id: newId(deps.random, 'int'),
    from: requester.id,
    fromOrg: requester.orgId,
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
  await deps.trustLog.requireStillStanding(caller.barrier, requester.dependsOn)
  return requestViewOf(deps, created, now, deps.audit.history(caller))
}

type Draft = Omit<CapabilityRequest, 'slot' | 'matchAt'>

/** When the request is matched: after the newest ones of its organisation, whatever they found. */
async function matchTimeOf({ requests }: IntroductionDeps['capabilities'], { fromOrg, createdAt }: Draft): Promise<number> {
  const { items } = await requests.find('fromOrg', { where: { fromOrg }, order: 'down', limit: NEWEST })
  const latest = Math.max(...items.map(({ matchAt = 0 }) => matchAt), 0)
  return Math.max((createdAt + MATCH_AFTER_SECONDS) * 1000, latest + MATCH_DISTANCE_MS)
}

/** If two requests of one agent pick the same slot, the second one retries. */
async function create(
  { capabilities, introductions, storage, audit }: IntroductionDeps,
  caller: Caller,
  draft: Draft,
): Promise<CapabilityRequest | 'retry'> {
  const { requests, jobs } = capabilities
  const slot = await requireFreeSlot(introductions, draft)
  const matchAt = await matchTimeOf(capabilities, draft)
  const request = { ...draft, slot, matchAt }
  const { ok } = await storage.commit([
    requests.inserting(request),
    reservingSlot(introductions, request, request.slot),
    jobs.inserting(newJob(request, 'match', Math.floor(matchAt / 1000))),
    audit.recording(
      auditDraft(caller, 'introductions.request', {
        subject: request.id,
        ...(caller.id !== request.from && { facts: { from: request.from } }),
      }),
    ),
  ])
  return ok ? request : 'retry'
}
