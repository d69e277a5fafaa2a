import { type GrantedIntroduction, sortByReliance } from '../../delegation/introductions/decide/granted.js'
import { policyDecision } from '../../delegation/introductions/introduction.js'
import type { ResourceAudience } from '../../delegation/resources/find.js'
import { admitsPersonOf } from '../../delegation/resources/policy.js'
import type { Resource } from '../../delegation/resources/store.js'
import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import type { Client } from '../../identity/clients/client.js'
import { type Handle, identitiesOf } from '../../protocol/handles.js'
import { AgentId, Audience, agentOfAudience, IntroductionId, type MemberId, type OrgId, type TargetId } from '../../protocol/ids.js'
import { resourceUriOf } from '../../protocol/resources/uri.js'
import { intersectNames, type Restrictions, type Scope } from '../../protocol/rights.js'
import { type Barrier, dependenciesOf, stands } from '../../protocol/standing.js'
import type { CardReliance } from '../../registry/cards/reliance/reliance.js'
import type { SubjectDeps } from './subject.js'

export interface TargetDeps extends SubjectDeps {
  readonly findResource: (uri: string) => Promise<ResourceAudience | undefined>
  /** Introduces a client to a resource whose policy is open, unless it was introduced before. */
  readonly introduceToOpen: (client: Client, audience: ResourceAudience, barrier: Barrier) => Promise<'introduced' | 'refused'>
  /** Notifies both sides of introductions that need another approval. */
  readonly notifyOfRefusal: (affected: readonly GrantedIntroduction[]) => Promise<void>
}

/** The audience of a token, with what the decision reads about it. */
export interface Target {
  readonly id: TargetId
  readonly audience: Audience
  readonly orgId: OrgId
  /** Present for a protected resource. */
  readonly resource: Resource | undefined
  /** The identities of the audience, and the version of a resource. */
  readonly handles: readonly Handle[]
  /** What the audience offers. */
  readonly offer: CardReliance
  /** The restrictions that it enforces, and the handles on which a token with one of them depends. */
  readonly understands: { readonly restrictions: Restrictions; readonly handles: readonly Handle[] }
  /** Introductions of the client to it that stand and whose reliance holds, newest first. */
  readonly introductions: readonly GrantedIntroduction[]
  /** Present if the introduction must be created first. */
  readonly prospective?: ResourceAudience | undefined
}

/**
 * The audience that a request names by `resource`, `audience`, or both with the same value; undefined if it names none.
 *
 * @see [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707.html#section-2)
 */
export function audienceIn(form: OAuthForm): string | undefined {
  const [only, ...others] = new Set([...form.getAll('audience'), ...form.getAll('resource')].map(resourceUriOf))
  return others.length === 0 ? only : refuseTarget()
}

/** One text for an audience that is unknown, has ended, is closed, or that the client is not introduced to: it must not tell them apart. */
export const refuseTarget = (): never =>
  refuse(
    'invalid_target',
    'no valid introduction to this audience: it was not requested, is pending, or has ended. Name exactly one agent or resource',
  )

/**
 * Finds the audience and the introductions of the client to it. The audience itself must stand. A resource is bound by its current policy: without an
 * introduction, an open one would grant the one that `prospective` describes.
 */
export async function requireTarget(deps: TargetDeps, client: Client, now: number, name: string): Promise<Target> {
  const presenter = AgentId.safeParse(client.id)
  const found = await findAudience(deps, name)
  if (!presenter.success || !found || isClosedTo(found.resource, client)) return refuseTarget()
  const { id, orgId, handles, understands } = found
  const resource = found.resource?.resource
  const granted = await deps.findGranted(presenter.data, id)
  if (!stands(deps.trustLog.ended, handles)) return refuseTarget()
  if (granted.length === 0) {
    if (found.resource?.resource.policy.mode !== 'open') return refuseTarget()
    const { offer } = found.resource
    const introductions = [prospectiveTo(found.resource, presenter.data, now)]
    return { id, orgId, audience: offer.audience, resource, handles, understands, offer, introductions, prospective: found.resource }
  }
  const { valid, affected, card: offer } = await sortByReliance(deps, id, granted)
  if (valid.length > 0 && offer) {
    const introductions = resource ? valid.map((introduction) => boundBy(resource, offer, introduction)) : valid
    return { id, orgId, audience: offer.audience, resource, handles, understands, offer, introductions }
  }
  await deps.notifyOfRefusal(affected.map(({ introduction }) => introduction))
  return refuse('invalid_target', 'the card of this audience changed: it must approve the introduction again (introductions.approve)', {
    faults: affected[0]?.changes ?? [],
  })
}

export const isClosedTo = (found: ResourceAudience | undefined, { orgId }: Pick<Client, 'orgId'>): boolean =>
  found !== undefined && policyDecision(found.target, orgId, { scopes: [] }).outcome === 'closed'

/**
 * The introduction with the scopes that the resource offers now; without an approval, with those that its open policy grants now. The first token request
 * asked for no scopes, so its introduction has all of these.
 */
function boundBy({ policy }: Resource, offer: CardReliance, introduction: GrantedIntroduction): GrantedIntroduction {
  const { bounds, byPolicy, byFirstRequest } = introduction
  const granted = byPolicy && policy.mode === 'open' ? (policy.scopes ?? offer.scopes) : offer.scopes
  const scopes = byFirstRequest && policy.mode === 'open' ? [...granted] : intersectNames<Scope>(bounds.scopes, granted)
  return { ...introduction, bounds: { ...bounds, scopes } }
}

/** The introduction that an open policy would grant. It decides a request before it is created, so that a refused request creates none. */
const prospectiveTo = ({ resource, offer }: ResourceAudience, from: AgentId, now: number): GrantedIntroduction => ({
  id: PROSPECTIVE_ID,
  from,
  to: resource.id,
  bounds: { scopes: [...(resource.policy.scopes ?? offer.scopes)] },
  reliance: { ...offer, versions: [...offer.versions] },
  byPolicy: true,
  byFirstRequest: true,
  dependencies: dependenciesOf([], now + resource.policy.maxSeconds),
})
const PROSPECTIVE_ID = IntroductionId.parse(`int_${'A'.repeat(22)}`)

interface FoundAudience extends Pick<Target, 'id' | 'orgId' | 'handles' | 'understands'> {
  /** Absent for an agent. */
  readonly resource?: ResourceAudience
}

export async function findAudience(
  deps: Pick<TargetDeps, 'issuer' | 'clients' | 'findResource'>,
  name: string,
): Promise<FoundAudience | undefined> {
  const agentId = agentOfAudience(deps.issuer, name)
  if (agentId !== undefined) {
    const agent = await deps.clients.find(agentId)
    const { restrictions = [], ver } = agent?.understands ?? {}
    return (
      agent && {
        id: agentId,
        orgId: agent.orgId,
        handles: identitiesOf(agent.dependencies.handles),
        understands: { restrictions, handles: ver === undefined ? [] : [ver] },
      }
    )
  }
  const found = Audience.safeParse(name).success ? await deps.findResource(name) : undefined
  if (!found) return undefined
  const { resource, target } = found
  const understands = { restrictions: resource.understands ?? [], handles: [resource.ver] }
  // The version too: the decision reads the policy, and the offer may be read later, of another version
  const handles = [...target.dependencies.handles, resource.ver]
  return { id: resource.id, orgId: resource.orgId, handles, understands, resource: found }
}

/** The policy of a resource says whose people a token may be for, at every step of a chain. */
export async function requirePeople({ clients }: Pick<TargetDeps, 'clients'>, resource: Resource, memberId: MemberId): Promise<void> {
  const member = await clients.find(memberId)
  if (!member || !admitsPersonOf(resource, member.orgId)) refuseTarget()
}
