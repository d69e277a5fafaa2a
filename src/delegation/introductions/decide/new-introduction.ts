import { newHandle } from '../../../protocol/handles.js'
import { type AgentId, newId, type OrgId } from '../../../protocol/ids.js'
import type { Bounds } from '../../../protocol/rights.js'
import { DEFAULT_SECONDS, PENDING_SECONDS, RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import type { Introduction } from '../store.js'
import type { IntroductionInput } from './requestable.js'

interface NewIntroduction {
  readonly from: AgentId
  readonly fromOrg: OrgId
  readonly toOrg: OrgId
  readonly input: IntroductionInput
  readonly now: number
}

/** A request as it is stored while it is pending. */
export function newIntroduction(
  { random }: Pick<IntroductionDeps, 'random'>,
  { from, fromOrg, toOrg, input, now }: NewIntroduction,
): Introduction {
  const requested: Bounds = {
    scopes: [...input.scopes],
    ...(input.tools && { tools: [...input.tools] }),
    ...(input.resources && { resources: [...input.resources] }),
    ...(input.delegation && { delegation: input.delegation }),
  }
  return {
    id: newId(random, 'int'),
    from,
    to: input.to,
    fromOrg,
    toOrg,
    pair: `${from} ${input.to}`,
    purpose: input.purpose,
    requested,
    ...(input.interface && { interface: input.interface }),
    skills: [...(input.skills ?? [])],
    ...(input.taskId && { taskId: input.taskId }),
    seconds: input.seconds ?? DEFAULT_SECONDS,
    state: 'pending',
    handle: newHandle(random, 'int'),
    boundsVersion: newHandle(random, 'ver'),
    createdAt: now,
    revision: 0,
    changedAt: now,
    pendingUntil: now + PENDING_SECONDS,
    purgeAt: now + PENDING_SECONDS + RETENTION_SECONDS,
  }
}
