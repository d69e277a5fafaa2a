import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { IntroductionId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import { grantPending } from './decide/grant.js'
import type { Narrowing } from './decide/narrow.js'
import { requirePending } from './decide/pending.js'
import type { IntroductionDeps } from './introduction-deps.js'
import type { IntroductionView } from './view.js'

/** The target agent, or a member of its organisation, grants what was asked for or less. */
export async function approveIntroduction(
  deps: IntroductionDeps,
  caller: Caller,
  id: IntroductionId,
  narrowing: Narrowing,
): Promise<IntroductionView> {
  const { now } = await deps.trustLog.readBarrier()
  const pending = await requirePending(deps, caller, id, now)
  const [contact, reliance] = await Promise.all([deps.findTarget(pending.to), deps.findPinnedParts(pending.to)])
  if (!contact || !reliance || !stands(deps.trustLog.ended, [...contact.dependencies.handles, ...reliance.dependencies.handles]))
    return refuse('not_found', 'no such introduction')
  return grantPending(deps, caller, pending, { contact, reliance, now }, narrowing)
}
