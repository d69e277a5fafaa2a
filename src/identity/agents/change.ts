import { auditRow } from '../../audit/audit-row.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { stands } from '../../protocol/standing.js'
import { type CeilingInput, ceilingOf } from './agent.js'
import { type AgentsDeps, requireAgent } from './authority.js'

interface AgentChange {
  readonly agentId: AgentId
  readonly name?: string | undefined
  readonly ceiling?: CeilingInput | undefined
  readonly introductionPolicy?: IntroductionPolicy | undefined
}

/**
 * Changes name, ceiling or introduction policy.
 * A new ceiling or policy ends the old version, even if the new one is wider, so every decision that depended on the old version is void.
 */
export async function changeAgent(
  deps: AgentsDeps,
  caller: Caller,
  { agentId, name, ceiling, introductionPolicy }: AgentChange,
): Promise<{ agentId: AgentId }> {
  await deps.trustLog.readBarrier()
  const agent = await requireAgent(deps, caller, agentId, 'change')
  const { handle, ceilingVer, introductionPolicyVer } = agent
  if (!stands(deps.trustLog.ended, [handle, ceilingVer, introductionPolicyVer]))
    refuse('already_revoked', 'the agent is suspended or revoked; a suspended agent can be changed once it is reinstated')
  const fresh = { ceilingVer: newHandle(deps.random, 'ver'), introductionPolicyVer: newHandle(deps.random, 'ver') }
  const next = {
    ...(name !== undefined && { name }),
    ...(ceiling && { ceiling: ceilingOf(deps.issuer, ceiling), ceilingVer: fresh.ceilingVer }),
    ...(introductionPolicy && { introductionPolicy, introductionPolicyVer: fresh.introductionPolicyVer }),
  }
  if (Object.keys(next).length === 0) return { agentId }
  const { outcome } = await deps.agents.change(agentId, { handle, ceilingVer, introductionPolicyVer }, next, {
    type: 'record.changed',
    ends: [...(ceiling ? [{ handle: ceilingVer }] : []), ...(introductionPolicy ? [{ handle: introductionPolicyVer }] : [])],
    begins: [...(ceiling ? [fresh.ceilingVer] : []), ...(introductionPolicy ? [fresh.introductionPolicyVer] : [])],
    dependsOn: [handle, ceilingVer, introductionPolicyVer, ...identitiesOf(caller.dependencies.handles)],
    also: [deps.audit.recording(auditRow(caller, 'agents.change', { orgId: agent.orgId, subject: agentId }))],
  })
  return outcome === 'begun'
    ? { agentId }
    : refuse('conflict', 'the agent was changed or revoked concurrently, or your own access was revoked; read it and try again')
}
