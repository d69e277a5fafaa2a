import { refuse } from '../errors.js'
import { withNotices } from '../inbox/post.js'
import type { Position } from '../protocol/entry.js'
import type { IntroductionId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Caller } from '../transport/caller.js'
import { endingOfIntroduction } from './find.js'
import { grantPending, type Narrowing } from './grant.js'
import type { IntroductionDeps } from './request.js'
import type { Introduction } from './store.js'
import { type IntroductionView, isSide, noticeOf, requireIntroduction, stateOf, viewOf } from './view.js'

/** The target agent, or a member of its organisation, grants what was asked for or less. */
export async function approveIntroduction(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  narrowing: Narrowing,
): Promise<IntroductionView> {
  const { now } = await deps.trustLog.fence()
  const pending = await requirePending(deps, caller, id, now)
  const [contact, reliance] = await Promise.all([deps.findContact(pending.to), deps.findReliance(pending.to)])
  if (!contact || !reliance || !stands(deps.trustLog.ended, [...contact.ground.on, ...reliance.ground.on]))
    return refuse('not_found', 'no such introduction')
  return grantPending(deps, caller, pending, { contact, reliance, now }, narrowing)
}

export async function denyIntroduction(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  note?: string,
): Promise<IntroductionView> {
  const { now } = await deps.trustLog.fence()
  const pending = await requirePending(deps, caller, id, now)
  const denied: Introduction = { ...pending, state: 'denied', ...(note !== undefined && { note }) }
  await closePending(deps, caller, denied, 'introductions.deny', now)
  return viewOf(deps, denied, now)
}

/** Either side ends it. A request that is still pending is withdrawn. */
export async function endIntroduction(deps: IntroductionDeps, caller: Caller, id: IntroductionId): Promise<{ position: Position }> {
  const { now, position } = await deps.trustLog.fence()
  const introduction = await requireIntroduction(deps, caller, id)
  if (introduction.state === 'pending') {
    await closePending(deps, caller, { ...introduction, state: 'denied', note: 'withdrawn' }, 'introductions.end', now)
    return { position }
  }
  if (stateOf(deps.trustLog, introduction, now) === 'ended') return refuse('already_ended', 'the introduction has ended')
  if (introduction.state === 'denied') return refuse('not_pending', 'the introduction was denied')
  const notice = noticeOf(introduction, 'ended', now)
  return withNotices(
    deps,
    [introduction.from, introduction.to].map((agentId) => ({ agentId, notice })),
    (posts) => endWith(deps, caller, introduction, posts),
  )
}

async function endWith(
  deps: IntroductionDeps,
  caller: Caller,
  introduction: Introduction,
  posts: Parameters<Parameters<typeof withNotices>[2]>[0],
): Promise<{ position: Position } | 'again'> {
  const intent = [...posts, auditOf(deps, caller, introduction, 'introductions.end')]
  try {
    return await deps.trustLog.end({ type: 'introduction.ended', ends: [endingOfIntroduction(introduction)], intent })
  } catch (error) {
    if (error instanceof Error && 'reason' in error && error.reason === 'conflict') return 'again'
    throw error
  }
}

async function requirePending(deps: IntroductionDeps, caller: Caller, id: IntroductionId, now: number): Promise<Introduction> {
  const introduction = await requireIntroduction(deps, caller, id)
  if (!isSide(caller, introduction, 'to')) return refuse('forbidden', 'the agent that was asked answers, or its organisation')
  return stateOf(deps.trustLog, introduction, now) === 'pending'
    ? introduction
    : refuse('not_pending', 'it has been answered, has expired or has ended')
}

/** One answer wins. */
async function closePending(deps: IntroductionDeps, caller: Caller, denied: Introduction, action: string, now: number): Promise<void> {
  const notice = noticeOf(denied, 'denied', now)
  await withNotices(
    deps,
    [denied.from, denied.to].map((agentId) => ({ agentId, notice })),
    async (posts) => {
      const changing = deps.introductions.collection.changing(
        denied.id,
        { state: 'pending', nextEntry: null },
        { state: 'denied', note: denied.note },
      )
      const committed = await deps.storage.commit([changing, auditOf(deps, caller, denied, action), ...posts])
      if (committed.ok) return denied
      if (committed.failed === 0) return refuse('not_pending', 'it has been answered')
      return 'again'
    },
  )
}

const auditOf = ({ audit }: IntroductionDeps, caller: Caller, { id, fromOrg, toOrg }: Introduction, action: string) =>
  audit.recording({
    orgId: caller.orgId,
    otherOrgId: caller.orgId === toOrg ? fromOrg : toOrg,
    actor: caller.id,
    action,
    outcome: 'done',
    subject: id,
    tokenId: caller.tokenId,
  })
