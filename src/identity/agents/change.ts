import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { stands } from '../../protocol/standing.js'
import { type CeilingInput, ceilingOf } from './agent.js'
import { type AgentsDeps, requireAgent } from './authority.js'

export interface AgentChange {
  readonly agentId: AgentId
  readonly name?: string | undefined
  readonly ceiling?: CeilingInput | undefined
  readonly contact?: IntroductionPolicy | undefined
}

/** A new ceiling or contact policy is a new version, whichever way it goes: what was decided by the old one dies with it. */
export async function changeAgent(
  deps: AgentsDeps,
  caller: Caller,
  { agentId, name, ceiling, contact }: AgentChange,
): Promise<{ agentId: AgentId }> {
  await deps.trustLog.readBarrier()
  const agent = await requireAgent(deps, caller, agentId, 'change')
  const { handle, ceilingVer, introductionPolicyVer } = agent
  if (!stands(deps.trustLog.ended, [handle, ceilingVer, introductionPolicyVer])) refuse('already_ended', 'the agent has ended')
  const fresh = { ceilingVer: newHandle(deps.random, 'ver'), contactVer: newHandle(deps.random, 'ver') }
  const next = {
    ...(name !== undefined && { name }),
    ...(ceiling && { ceiling: ceilingOf(deps.issuer, ceiling), ceilingVer: fresh.ceilingVer }),
    ...(contact && { contact, contactVer: fresh.contactVer }),
  }
  if (Object.keys(next).length === 0) return { agentId }
  const { outcome } = await deps.agents.change(agentId, { handle, ceilingVer, introductionPolicyVer }, next, {
    type: 'record.changed',
    ends: [...(ceiling ? [{ handle: ceilingVer }] : []), ...(contact ? [{ handle: introductionPolicyVer }] : [])],
    begins: [...(ceiling ? [fresh.ceilingVer] : []), ...(contact ? [fresh.contactVer] : [])],
    dependsOn: [handle, ceilingVer, introductionPolicyVer, ...identitiesOf(caller.dependencies.handles)],
    also: [deps.audit.recording(auditRow(caller, 'agents.change', { orgId: agent.orgId, subject: agentId }))],
  })
  return outcome === 'begun' ? { agentId } : refuse('conflict', 'somebody changed it meanwhile')
}
