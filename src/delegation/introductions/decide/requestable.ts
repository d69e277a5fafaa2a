import { type Fault, refuse } from '../../../errors.js'
import { organisationsOf } from '../../../identity/clients/organisations-of.js'
import { shellWord } from '../../../lib/text.js'
import { type AgentId, type Audience, type ClientId, isResourceId, type OrgId, type TargetId, type TaskId } from '../../../protocol/ids.js'
import { canBeAudience } from '../../../protocol/resources/uri.js'
import {
  type Ceiling,
  coveredBySome,
  coversRight,
  type Delegation,
  intersectNames,
  type Scope,
  scopesFor,
} from '../../../protocol/rights.js'
import { type CardInterface, type CardReliance, findInterface } from '../../../registry/cards/reliance/reliance.js'
import type { IntroductionDeps } from '../introduction-deps.js'

export interface IntroductionInput {
  readonly to: TargetId
  readonly purpose: string
  readonly scopes: readonly Scope[]
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly delegation?: Delegation | undefined
  readonly taskId?: TaskId | undefined
  readonly seconds?: number | undefined
  readonly interface?: CardInterface | undefined
  readonly skills?: readonly string[] | undefined
}

interface Requester {
  readonly from: AgentId
  readonly input: IntroductionInput
  /** Organisation of the target. */
  readonly orgId: OrgId
  /** The part of the target's card that the requester sees. */
  readonly card: CardReliance
}

interface BoundsRequester {
  readonly from: AgentId
  readonly input: Pick<IntroductionInput, 'tools' | 'resources' | 'delegation'>
}

/**
 * Refuses a request for scopes, skills or an interface that the requester does not see in the card, and for anything beyond its ceiling. The
 * refusal does not show whether a missing part of the card is non-public.
 */
export async function requireRequestable(deps: IntroductionDeps, requester: Requester): Promise<void> {
  const client = await deps.clients.find(requester.from)
  if (client === undefined) return refuse('forbidden', 'the agent is no longer active')
  const rights = [...faultsOfScopes(requester, client.ceiling), ...(await faultsOfBounds(deps, requester, client.ceiling))]
  const unknown = [...unknownAgents(deps, requester), ...unknownParts(requester)]
  if (rights.length > 0) refuse('invalid_scope', 'a scope or another right cannot be requested', { faults: [...rights, ...unknown] })
  if (unknown.length > 0) refuse('bad_input', 'the request names an unknown agent, skill or interface', { faults: unknown })
}

/** The input of a request for a capability. It does not matter here whether any agent has the capability. */
export type CapabilityInput = Pick<IntroductionInput, 'purpose' | 'tools' | 'resources' | 'delegation' | 'taskId' | 'seconds'> & {
  readonly capability: string
  readonly scopes?: readonly Scope[] | undefined
}

/** Refuses a request for a capability beyond the requester's ceiling: a scope that it may have at no agent, or another bound. */
export async function requireWithinCeiling(deps: IntroductionDeps, from: AgentId, input: CapabilityInput): Promise<void> {
  const client = await deps.clients.find(from)
  if (client === undefined) return refuse('forbidden', 'the agent is no longer active')
  const allowed = client.ceiling.rights.filter(({ audience }) => audience !== deps.issuer).map(({ scope }) => scope)
  const beyond = (input.scopes ?? []).flatMap((scope, i) =>
    coveredBySome(allowed, scope)
      ? []
      : [{ pointer: `/scopes/${i}`, hint: `your permission ceiling has this scope for no agent; ${CHANGEABLE}` }],
  )
  const rights = [...beyond, ...(await faultsOfBounds(deps, { from, input }, client.ceiling))]
  const unknown = unknownAgents(deps, { input })
  if (rights.length > 0) refuse('invalid_scope', 'a scope or another right cannot be requested', { faults: [...rights, ...unknown] })
  if (unknown.length > 0) refuse('bad_input', 'the request names an unknown agent', { faults: unknown })
}

function faultsOfScopes({ from, input, orgId, card: { audience, scopes } }: Requester, ceiling: Ceiling): readonly Fault[] {
  const isResource = isResourceId(input.to)
  // The patterns of a ceiling match agents only
  const withinCeiling = scopesFor(ceiling.rights, audience, () => (isResource ? undefined : orgId))
  return input.scopes.flatMap((scope, i): Fault[] => {
    const pointer = `/scopes/${i}`
    if (!coveredBySome(scopes, scope))
      return [{ pointer, hint: isResource ? 'the resource does not have this scope' : 'the card does not list this scope' }]
    return coveredBySome(withinCeiling, scope) ? [] : [{ pointer, hint: beyondCeiling(from, audience, [scope]) }]
  })
}

/** Every exchange under an introduction with such bounds would be refused, or would leave them out. */
async function faultsOfBounds(
  { issuer, clients }: IntroductionDeps,
  { from, input: { tools, resources, delegation } }: BoundsRequester,
  ceiling: Ceiling,
): Promise<readonly Fault[]> {
  const { depth = 0, rights = [] } = delegation ?? {}
  const audiences = rights.map(({ audience }) => audience)
  const orgOf = await organisationsOf(issuer, audiences, (id) => clients.find(id))
  return [
    ...faultsOfNames('tools', tools, ceiling.tools),
    ...faultsOfNames('resources', resources, ceiling.resources),
    ...rights.flatMap((right, i): Fault[] =>
      !canBeAudience(issuer, right.audience) || coversRight(ceiling.rights, right, orgOf)
        ? []
        : [{ pointer: `/delegation/rights/${i}`, hint: beyondCeiling(from, right.audience, [right.scope]) }],
    ),
    ...(depth > ceiling.delegationDepth
      ? [{ pointer: '/delegation/depth', hint: `your permission ceiling allows a depth of ${ceiling.delegationDepth}; ${CHANGEABLE}` }]
      : []),
  ]
}

const faultsOfNames = (
  member: 'tools' | 'resources',
  names: readonly string[] = [],
  allowed: readonly string[] = names,
): readonly Fault[] =>
  names.flatMap((name, i) =>
    intersectNames([name], allowed).length > 0
      ? []
      : [{ pointer: `/${member}/${i}`, hint: `your permission ceiling does not include this; ${CHANGEABLE}` }],
  )

const CHANGEABLE = 'an administrator of your organisation can change it (agents.change)'

/** Hint about scopes that the ceiling of a client lacks. */
export const beyondCeiling = (from: ClientId, audience: Audience, scopes: readonly Scope[]): string =>
  `your permission ceiling does not include ${scopes.join(' ')} for this audience; an administrator of your organisation can add it: credence agent change ${from} ${scopes.map((scope) => `--add-call ${shellWord(`${audience}=${scope}`)}`).join(' ')}`

const unknownAgents = ({ issuer }: IntroductionDeps, { input: { delegation } }: Pick<BoundsRequester, 'input'>): readonly Fault[] =>
  (delegation?.rights ?? []).flatMap(({ audience }, i) =>
    canBeAudience(issuer, audience)
      ? []
      : [
          {
            pointer: `/delegation/rights/${i}/audience`,
            hint: 'neither the audience of an agent of this registry nor the URI of a resource',
          },
        ],
  )

const unknownParts = ({ input, card }: Requester): readonly Fault[] => [
  ...(input.skills ?? []).flatMap((skill, i) =>
    card.skills.some(({ id }) => id === skill) ? [] : [{ pointer: `/skills/${i}`, hint: 'the card does not list this skill' }],
  ),
  ...(input.interface && !findInterface(card, input.interface)
    ? [{ pointer: '/interface', hint: 'the card does not list this interface' }]
    : []),
]
