import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, EntryId, OrgId } from '../../protocol/ids.js'
import { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { Ceiling } from '../../protocol/rights.js'
import type { Collection, Storage } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/records/cache.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { IntroductionTarget } from './agent.js'

export const Agent = z.strictObject({
  id: AgentId,
  orgId: OrgId,
  name: z.string().min(1).max(128),
  /** The agent that registered it. */
  parent: AgentId.optional(),
  /** `agt:`, and the `ver:` of ceiling and contact policy. */
  handle: Handle,
  ceiling: Ceiling,
  ceilingVer: Handle,
  introductionPolicy: IntroductionPolicy,
  introductionPolicyVer: Handle,
  grantedBy: z.array(Handle).max(16),
  at: z.int().min(0),
  /** Which handle of it was ended here last, how, and by which authority: reinstating needs at least that. */
  endedHandle: Handle.optional(),
  endedHow: z.enum(['suspended', 'revoked']).optional(),
  endedRank: z.int().min(0).max(3).optional(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Agent = z.infer<typeof Agent>

/** What an agent's own key must show to confirm its registration. */
export const Registration = z.strictObject({ agentId: AgentId, epoch: Handle, tokenHash: z.string().length(43), expiresAt: z.int() })
export type Registration = z.infer<typeof Registration>

export interface AgentsStore extends Records<Agent> {
  readonly registrations: Collection<Registration>
  readonly introductionTargets: Cache<IntroductionTarget>
}

export function agentsStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): AgentsStore {
  const records = newRecords(
    deps,
    deps.storage.collection<Agent>({
      name: 'agents',
      schema: Agent,
      key: 'id',
      indexes: {
        organisation: { fields: ['orgId', 'at'] },
        parent: { fields: ['parent', 'at'] },
        grantedBy: { fields: ['grantedBy', 'at'] },
      },
    }),
    { kind: 'agents', versions: ({ handle, ceilingVer, introductionPolicyVer }) => [handle, ceilingVer, introductionPolicyVer] },
  )
  const registrations = deps.storage.collection<Registration>({
    name: 'agent-registrations',
    schema: Registration,
    key: 'agentId',
    indexes: {},
    expires: 'expiresAt',
  })
  // Another name, and who is back, end nothing that a contact names.
  const introductionTargets = newCache<IntroductionTarget>(
    deps.trustLog,
    ({ type }) => type === 'record.changed' || type === 'agent.reinstated',
  )
  return { ...records, registrations, introductionTargets }
}
