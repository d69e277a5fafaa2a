import { digestOfJson } from '../../credentials/jose/digest.js'
import type { IntroductionTarget } from '../../identity/agents/agent.js'
import { countNewest, type Quota } from '../../identity/limits/quota.js'
import type { OrganisationsStore } from '../../identity/organisations/store.js'
import type { Handle } from '../../protocol/handles.js'
import { type AgentId, Audience, isResourceId, type OrgId, ResourceId, type TargetId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { resourceUriOf } from '../../protocol/resources/uri.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { CardReliance } from '../../registry/cards/reliance/reliance.js'
import type { Cursor, Page } from '../../storage/storage.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Resource, ResourcesStore } from './store.js'

export interface FindResourceDeps {
  readonly resources: ResourcesStore
  readonly organisations: OrganisationsStore
  readonly trustLog: Pick<TrustLog, 'ended'>
  readonly dev: boolean
}

/** A protected resource as decisions read it. */
export interface ResourceAudience {
  readonly resource: Resource
  /** The target of introductions. */
  readonly target: IntroductionTarget
  /** The offer of its server, in place of the card of an agent. */
  readonly offer: CardReliance
}

/**
 * Finds a resource that may have tokens, by its URI or its id: the one that was proved for the URI, in development mode also the newest unproved
 * one. Undefined if it or its organisation was revoked. Call after the read barrier.
 */
export async function findResource(deps: FindResourceDeps, uriOrId: string): Promise<ResourceAudience | undefined> {
  const name = resourceUriOf(uriOrId)
  const found = await deps.resources.audiences.getOrRead(name, async () => {
    const resource = await readResource(deps, name)
    const organisation = resource && (await deps.organisations.get(resource.orgId))?.handle
    return resource && organisation && { value: { resource, organisation }, dependsOn: [...handlesOf(resource), organisation] }
  })
  return found && stands(deps.trustLog.ended, [...handlesOf(found.resource), found.organisation])
    ? audienceOf(found.resource, found.organisation)
    : undefined
}

async function readResource(deps: FindResourceDeps, uriOrId: string): Promise<Resource | undefined> {
  const byId = ResourceId.safeParse(uriOrId)
  const uri = Audience.safeParse(uriOrId)
  if (!byId.success) return uri.success ? readByUri(deps, uri.data) : undefined
  const resource = await deps.resources.get(byId.data)
  const current = resource && (await readByUri(deps, resource.uri))
  return current?.id === byId.data ? current : undefined
}

async function readByUri({ resources, trustLog, dev }: FindResourceDeps, uri: Audience): Promise<Resource | undefined> {
  const proved = await resources.uris.get(uri)
  if (proved) return resources.get(proved.resourceId)
  if (!dev) return undefined
  const { items } = await resources.find('uri', { where: { uri }, order: 'down', limit: 100 })
  return items.find(({ handle }) => !trustLog.ended.has(handle))
}

const handlesOf = ({ handle, ver }: Resource): readonly Handle[] => [handle, ver]

function audienceOf(resource: Resource, organisation: Handle): ResourceAudience {
  const { id, orgId, uri, name, scopes, policy, handle, ver } = resource
  return {
    resource,
    target: {
      id,
      orgId,
      name,
      introductionPolicy: policy,
      handle,
      introductionPolicyVer: ver,
      dependencies: dependenciesOf([handle, organisation]),
    },
    offer: {
      audience: uri,
      scopes: scopes.map(({ scope }) => scope).sort(),
      interfaces: [],
      skills: [],
      security: digestOfJson([]),
      publication: handle.slice('res:'.length),
      version: 1,
      yankedVersions: [],
      versions: [ver],
      signer: [],
      dependencies: dependenciesOf([ver]),
    },
  }
}

/** The agent that decides for a target: an agent for itself, and for a resource its operator agent by the current settings, if it has one. */
export const findDecider = async (deps: FindResourceDeps, to: TargetId): Promise<AgentId | undefined> =>
  isResourceId(to) ? (await findResource(deps, to))?.resource.operatorAgentId : to

/** Maximum number of resources that one agent operates: its list of introductions reads each of them. */
export const MAX_OPERATED = 32

/** The resources that an agent operates, at most MAX_OPERATED. */
export async function findOperated({ resources }: Pick<FindResourceDeps, 'resources'>, agentId: AgentId): Promise<readonly ResourceId[]> {
  const { items } = await resources.find('operatorAgent', { where: { operatorAgentId: agentId }, order: 'down', limit: MAX_OPERATED })
  return items.map(({ id }) => id)
}

/**
 * Lists what ends with a compromised identity: the resources that it registered since a time end, and those that it changed lose their version, so that they give
 * no token before a member has reviewed them.
 */
export async function resourcesGrantedBy(
  { resources }: Pick<FindResourceDeps, 'resources'>,
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> {
  const registered = await grantedSince(resources, {
    grantedBy: granter,
    since,
    createdAt: ({ createdAt }) => createdAt,
    ending: ({ handle }) => ({ handle }),
  })
  const changed: Ending[] = []
  for (let after: Cursor | undefined; ; ) {
    const page: Page<Resource> = await resources.find('changedBy', {
      where: { changedBy: granter },
      limit: 500,
      order: 'down',
      ...(after && { after }),
    })
    const recent = page.items.filter(({ changedAt = 0 }) => changedAt >= since)
    changed.push(...recent.map(({ ver }) => ({ handle: ver })))
    if (page.next === undefined || recent.length < page.items.length) return [...registered, ...changed]
    after = page.next
  }
}

/** Maximum number of resources of an organisation that were not revoked. */
const MAX_RESOURCES = 1000

export const resourcesQuota = ({ resources, trustLog }: Pick<FindResourceDeps, 'resources' | 'trustLog'>, orgId: OrgId): Quota => ({
  id: `resources ${orgId}`,
  orgId,
  limit: MAX_RESOURCES,
  refusalText: `this organisation has ${MAX_RESOURCES} resources, the maximum: revoke one`,
  count: (atMost) =>
    countNewest(
      (after) => resources.find('organisation', { where: { orgId }, order: 'down', limit: 100, ...(after && { after }) }),
      ({ handle }) => !trustLog.ended.has(handle),
      atMost,
    ),
})
