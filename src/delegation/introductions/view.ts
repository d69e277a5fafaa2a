import type { FindHistory } from '../../audit/history.js'
import type { TargetId } from '../../protocol/ids.js'
import type { Operation } from '../../storage/storage.js'
import { postingTo } from '../inbox/post.js'
import type { InboxNotification, InboxStore } from '../inbox/store.js'
import { type Ask, isAsk } from './capability/store.js'
import { SIGNATURES, type SortDeps, sortByReliance } from './decide/granted.js'
import { type SideDeps, stateOf } from './introduction.js'
import type { Introduction } from './store.js'

/** An introduction as its two agents and their organisations see it. */
export type IntroductionView = Awaited<ReturnType<typeof viewOf>>

export async function viewOf(deps: SortDeps, introduction: Introduction, now: number, findHistory: FindHistory) {
  const { id, from, to, purpose, requested, bounds, skills, taskId, createdAt, grantedAt, expiresAt, pendingUntil, note, capability } =
    introduction
  const { reliance } = introduction
  const state = stateOf(deps.trustLog, introduction, now)
  const { handle, boundsVersion, dependsOn = [] } = introduction
  // After it has expired, the ended set may have forgotten its handles.
  const ending =
    state === 'ended' || state === 'denied' || (state === 'expired' && introduction.state === 'granted')
      ? await findHistory([handle, boundsVersion, ...dependsOn], expiresAt)
      : undefined
  const { affected } = await sortByReliance(deps, to, state === 'granted' && reliance ? [{ reliance }] : [])
  const changes = affected[0]?.changes
  return {
    introductionId: id,
    state: changes?.some(({ pointer }) => pointer !== SIGNATURES)
      ? ('needsApproval' as const)
      : ending && state === 'expired'
        ? ('ended' as const)
        : state,
    /** The parts that the introduction relied on and the target's card no longer has. */
    needsApproval: changes,
    pendingBecause: state === 'pending' ? introduction.pendingBecause : undefined,
    from,
    /** Absent while a request for a capability is pending. */
    to: to as TargetId | undefined, // the type of the view of every kind of request
    capability,
    purpose,
    requested,
    bounds,
    interface: reliance?.interfaces[0] ?? introduction.interface,
    skills,
    taskId,
    requestedAt: createdAt,
    /** The requested lifetime. */
    requestedSeconds: introduction.seconds,
    grantedAt,
    expiresAt: expiresAt ?? pendingUntil,
    /** The introduction changes when one of them ends (revocation feed). */
    handles: [handle, boundsVersion, ...dependsOn],
    ...ending,
    note: ending?.note ?? note,
  }
}

/** The fields that number a change and give it a time: never before the time of the previous change. */
export const nextRevision = ({ revision, changedAt }: Introduction, now: number): Pick<Introduction, 'revision' | 'changedAt'> => ({
  revision: revision + 1,
  changedAt: Math.max(now, changedAt),
})

/**
 * Operations for the commit of a change. They notify the target of a request, and both sides of every other change. What a target was asked because of a
 * capability is for the target only. For a resource its operator agent is notified. The organisation of the target hears of what needs a decision, and
 * that of the requester how it was decided.
 */
export async function notifying(
  deps: SideDeps & { readonly inbox: InboxStore },
  introduction: Introduction | Ask,
  kind: InboxNotification['kind'],
): Promise<readonly Operation[]> {
  const { from, to, fromOrg, toOrg, pendingBecause } = introduction
  const decider = await deps.findDecider(to)
  const agents = kind === 'requested' || isAsk(introduction) ? [decider] : [from, decider]
  const isDecision = kind === 'granted' || kind === 'denied'
  const organisations = [
    ...(kind === 'requested' || kind === 'needsApproval' ? [toOrg] : []),
    ...(isDecision && pendingBecause !== undefined && !isAsk(introduction) ? [fromOrg] : []),
  ]
  // An agent may request an introduction to a resource that it operates
  const recipients = [...new Set([...agents, ...organisations])].filter((recipient) => recipient !== undefined)
  return postingTo(deps, recipients, {
    createdAt: introduction.changedAt,
    revision: introduction.revision,
    kind,
    introductionId: introduction.id,
    from,
    to,
    purpose: introduction.purpose,
    ...(isAsk(introduction) && { capability: introduction.capability }),
    scopes: (introduction.bounds ?? introduction.requested).scopes,
  })
}
