import { z } from 'zod'
import { refuse } from '../../errors.js'
import type { Role } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import { type AgentId, Audience, agentOfAudience, type OrgId } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { type Ceiling, MAX_TOKEN_SECONDS, Names, REGISTRY_SCOPES, Right, Scope } from '../../protocol/rights.js'
import type { Dependencies } from '../../protocol/standing.js'

/** What an agent may hold at the registry: everything but administration. */
const AGENT_SCOPES = REGISTRY_SCOPES.filter((scope) => scope !== 'admin')
/** And what it holds unless something else was said: it registers no agents. */
const DEFAULT_SCOPES = AGENT_SCOPES.filter((scope) => scope !== 'agents:write')

/** A ceiling as it is asked for: scopes at the registry apart from rights towards other agents. Life in seconds. */
export const CeilingInput = z.strictObject({
  scopes: z.array(z.enum(AGENT_SCOPES)).max(16).optional(),
  rights: z.array(Right).max(56).optional(),
  tools: Names.optional(),
  resources: Names.optional(),
  tokenSeconds: z.int().min(1).max(MAX_TOKEN_SECONDS).optional(),
  delegationDepth: z.int().min(0).max(5).optional(),
})
export type CeilingInput = z.infer<typeof CeilingInput>

export function ceilingOf(issuer: string, input: CeilingInput): Ceiling {
  const audience = Audience.parse(issuer)
  const own = [...new Set(input.scopes ?? DEFAULT_SCOPES)].map((scope) => ({ audience, scope: Scope.parse(scope) }))
  const faults = (input.rights ?? []).flatMap((right, i) =>
    right.audience === audience || agentOfAudience(issuer, right.audience) !== undefined
      ? []
      : [{ pointer: `/ceiling/rights/${i}/audience`, hint: `no audience of an agent of this registry: ${issuer}/agents/agt_…` }],
  )
  if (faults.length > 0) refuse('bad_input', 'a ceiling has rights towards agents of this registry', { faults })
  // Rights at the registry are named by `scopes` alone, so that nobody slips in `admin`.
  const others = (input.rights ?? []).filter((right) => right.audience !== audience)
  return {
    rights: [...own, ...others],
    ...(input.tools && { tools: input.tools }),
    ...(input.resources && { resources: input.resources }),
    tokenSeconds: input.tokenSeconds ?? 900,
    delegationDepth: input.delegationDepth ?? 0,
  }
}

/** The wider authority has the higher rank. */
export const RANK: Readonly<Record<Role, number>> = { agent: 0, member: 1, administrator: 2, operator: 3 }

export const MAX_AGENT_DEPTH = 5

/** What others need to know of an agent that they want to be introduced to. */
export interface IntroductionTarget {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly name: string
  readonly policy: IntroductionPolicy
  /** `agt:`. */
  readonly handle: Handle
  /** Identities of the agent, its parents and its organisation. */
  readonly dependencies: Dependencies
  /** The version of its contact policy. */
  readonly ver: Handle
}
