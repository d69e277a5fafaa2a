import { type GrantedIntroduction, sortByReliance } from '../../delegation/introductions/decide/granted.js'
import type { ResourceAudience } from '../../delegation/resources/find.js'
import type { Resource } from '../../delegation/resources/store.js'
import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import type { Client } from '../../identity/clients/client.js'
import { type Handle, identitiesOf } from '../../protocol/handles.js'
import { AgentId, Audience, agentOfAudience, type TargetId } from '../../protocol/ids.js'
import { type Barrier, stands } from '../../protocol/standing.js'
import type { CardReliance } from '../../registry/cards/reliance/reliance.js'
import type { SubjectDeps } from './subject.js'

export interface TargetDeps extends SubjectDeps {
  readonly findResource: (uri: string) => Promise<ResourceAudience | undefined>
  /** Introduces a client to a resource whose policy is open, unless it was introduced before. */
  readonly introduceToOpen: (client: Client, audience: ResourceAudience, barrier: Barrier) => Promise<void>
  /** Notifies both sides of introductions that need another approval. */
  readonly notifyOfRefusal: (affected: readonly GrantedIntroduction[]) => Promise<void>
}

/** The audience of a token, with what the decision reads about it. */
export interface Target {
  readonly id: TargetId
  readonly audience: Audience
  /** Present for a protected resource. */
  readonly resource: Resource | undefined
  /** The identities of the audience. */
  readonly handles: readonly Handle[]
  /** What the audience offers. */
  readonly offer: CardReliance
  /** Introductions of the client to it that stand and whose reliance holds, newest first. */
  readonly introductions: readonly GrantedIntroduction[]
}

/**
 * The audience that a request names by `resource`, `audience`, or both with the same value; undefined if it names none.
 *
 * @see [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707.html#section-2)
 */
export function audienceIn(form: OAuthForm): string | undefined {
  const [only, ...others] = new Set([...form.getAll('audience'), ...form.getAll('resource')])
  return others.length === 0 ? only : refuseTarget()
}

/** One text for an audience that is unknown, has ended, is closed, or that the client is not introduced to: it must not tell them apart. */
export const refuseTarget = (): never =>
  refuse(
    'invalid_target',
    'no valid introduction to this audience: it was not requested, is pending, or has ended. Name exactly one agent or resource',
  )

/** Finds the audience and the introductions of the client to it. The audience itself must stand. */
export async function requireTarget(deps: TargetDeps, client: Client, barrier: Barrier, name: string): Promise<Target> {
  const presenter = AgentId.safeParse(client.id)
  const found = await findAudience(deps, name)
  if (!presenter.success || !found) return refuseTarget()
  const { id, handles, resource } = found
  let granted = await deps.findGranted(presenter.data, id)
  if (granted.length === 0 && found.open) {
    await deps.introduceToOpen(client, found.open, barrier)
    granted = await deps.findGranted(presenter.data, id)
  }
  if (granted.length === 0 || !stands(deps.trustLog.ended, handles)) return refuseTarget()
  const { valid, affected, card: offer } = await sortByReliance(deps, id, granted)
  if (valid.length > 0 && offer) return { id, audience: offer.audience, resource, handles, offer, introductions: valid }
  await deps.notifyOfRefusal(affected.map(({ introduction }) => introduction))
  return refuse('invalid_target', 'what this audience offers has changed: it must approve the introduction again (introductions.approve)', {
    faults: affected[0]?.changes ?? [],
  })
}

interface FoundAudience extends Pick<Target, 'id' | 'handles' | 'resource'> {
  readonly open?: ResourceAudience | undefined
}

async function findAudience(deps: TargetDeps, name: string): Promise<FoundAudience | undefined> {
  const agentId = agentOfAudience(deps.issuer, name)
  if (agentId !== undefined) {
    const agent = await deps.clients.find(agentId)
    return agent && { id: agentId, handles: identitiesOf(agent.dependencies.handles), resource: undefined }
  }
  const found = Audience.safeParse(name).success ? await deps.findResource(name) : undefined
  if (!found) return undefined
  const { resource, target } = found
  return {
    id: resource.id,
    handles: target.dependencies.handles,
    resource,
    ...(resource.policy.mode === 'open' && { open: found }),
  }
}
