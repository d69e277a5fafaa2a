import { z } from 'zod'
import { refuse } from '../../errors.js'
import type { Role } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import { Audience, type OrgId, type TargetId } from '../../protocol/ids.js'
import type { IntroductionPolicy } from '../../protocol/introduction-policy.js'
import { canBeAudience } from '../../protocol/resources/uri.js'
import {
  type Ceiling,
  CeilingRight,
  MAX_NAMES,
  MAX_TOKEN_SECONDS,
  Names,
  nameOfRight,
  REGISTRY_SCOPES,
  Scope,
} from '../../protocol/rights.js'
import type { Dependencies } from '../../protocol/standing.js'

/** Scopes at the registry that a ceiling may contain: all but `admin`. */
const AGENT_SCOPES = REGISTRY_SCOPES.filter((scope) => scope !== 'admin')
/** Default scopes at the registry. Without `agents:write`, the agent may not register agents. */
const DEFAULT_SCOPES = AGENT_SCOPES.filter((scope) => scope !== 'agents:write')

/** The ceiling in a request: scopes at the registry and, separately, rights towards other agents. */
export const CeilingInput = z.strictObject({
  scopes: z.array(z.enum(AGENT_SCOPES)).max(16).optional(),
  rights: z.array(CeilingRight).max(56).optional(),
  tools: Names.optional(),
  resources: Names.optional(),
  tokenSeconds: z.int().min(1).max(MAX_TOKEN_SECONDS).optional(),
  delegationDepth: z.int().min(0).max(5).optional(),
})
export type CeilingInput = z.infer<typeof CeilingInput>

export function ceilingOf(issuer: string, input: CeilingInput): Ceiling {
  const audience = Audience.parse(issuer)
  const own = [...new Set(input.scopes ?? DEFAULT_SCOPES)].map((scope) => ({ audience, scope: Scope.parse(scope) }))
  requireAgentRights(issuer, input.rights ?? [], '/ceiling/rights', audience)
  // `scopes` cannot contain `admin`, but a right at the registry could, so rights at the registry are ignored.
  const others = (input.rights ?? []).filter((right) => right.audience !== audience)
  return {
    rights: [...own, ...others],
    ...(input.tools && { tools: input.tools }),
    ...(input.resources && { resources: input.resources }),
    tokenSeconds: input.tokenSeconds ?? 900,
    delegationDepth: input.delegationDepth ?? 0,
  }
}

/** Refuses rights whose audience is neither an agent of this registry, nor a pattern of such agents, nor can name a resource. */
function requireAgentRights(issuer: string, rights: readonly CeilingRight[], pointer: string, alsoAllowed?: Audience): void {
  const faults = rights.flatMap(({ audience }, i) =>
    typeof audience !== 'string' || audience === alsoAllowed || canBeAudience(issuer, audience)
      ? []
      : [
          {
            pointer: `${pointer}/${i}/audience`,
            hint: `expected the audience of an agent of this registry (${issuer}/agents/agt_…) or the https URI of a resource`,
          },
        ],
  )
  if (faults.length > 0) refuse('bad_input', 'the rights of a ceiling must name agents of this registry or resources', { faults })
}

/** Rights towards other agents to add to a ceiling and to remove from it. */
export interface RightsChange {
  readonly addRights?: readonly CeilingRight[] | undefined
  readonly removeRights?: readonly CeilingRight[] | undefined
}

/** The ceiling with other rights towards other agents. Removing a right that it does not have is refused, because the caller is mistaken. */
export function withRights(issuer: string, ceiling: Ceiling, { addRights = [], removeRights = [] }: RightsChange): Ceiling {
  requireAgentRights(issuer, addRights, '/addRights')
  requireAgentRights(issuer, removeRights, '/removeRights')
  const known = new Map(ceiling.rights.map((right) => [nameOfRight(right), right]))
  const faults = removeRights.flatMap((right, i) =>
    known.delete(nameOfRight(right)) ? [] : [{ pointer: `/removeRights/${i}`, hint: 'the ceiling does not have this right' }],
  )
  if (faults.length > 0) refuse('bad_input', 'a right cannot be removed', { faults })
  for (const right of addRights) known.set(nameOfRight(right), right)
  if (known.size > MAX_NAMES)
    refuse('bad_input', `a ceiling has at most ${MAX_NAMES} rights; use a pattern`, {
      faults: [{ pointer: '/addRights', hint: 'name an organisation or any agent in the place of the audience' }],
    })
  return { ...ceiling, rights: [...known.values()] }
}

/** Rank of each role's authority; a wider authority has a higher rank. */
export const RANK: Readonly<Record<Role, number>> = { person: 0, agent: 0, member: 1, administrator: 2, operator: 3 }

/** Maximum number of parents above an agent. Registering a deeper agent is refused. */
export const MAX_AGENT_DEPTH = 5

/** The facts about an agent or a resource that decide whether an agent may be introduced to it. */
export interface IntroductionTarget {
  readonly id: TargetId
  readonly orgId: OrgId
  readonly name: string
  readonly introductionPolicy: IntroductionPolicy
  /** Handle of kind `agt:` or `res:`. */
  readonly handle: Handle
  /** Identity handles of the target, of an agent's parents, and of the organisation. */
  readonly dependencies: Dependencies
  /** Version of `introductionPolicy`, a handle of kind `ver:`. */
  readonly introductionPolicyVer: Handle
}
