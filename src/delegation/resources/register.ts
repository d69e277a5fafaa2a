import { auditDraft } from '../../audit/audit-draft.js'
import { type Fault, refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { identitiesOf, newHandle } from '../../protocol/handles.js'
import { Audience, newId } from '../../protocol/ids.js'
import { faultOfResourceUri, resourceUriOf } from '../../protocol/resources/uri.js'
import { coveredBySome } from '../../protocol/rights.js'
import type { ResourceDeps } from './authority.js'
import { findOperated, MAX_OPERATED } from './find.js'
import type { Resource, ResourceSettings } from './store.js'
import { type ResourceView, viewOf } from './view.js'

/** Registers a protected resource. Outside development mode it gets no token before its server has proved that it is this resource. */
export async function registerResource(
  deps: ResourceDeps,
  caller: Caller,
  { uri, ...settings }: ResourceSettings & { readonly uri: string },
): Promise<ResourceView> {
  if (caller.kind !== 'member') refuse('forbidden', 'only a member of an organisation can register a resource')
  const fault = faultOfResourceUri(uri, deps)
  if (fault !== undefined) refuse('bad_input', 'the URI cannot name a resource', { faults: [{ pointer: '/uri', hint: fault }] })
  await requireSettings(deps, caller, settings)
  const { now } = caller.barrier
  const resource: Resource = {
    ...settings,
    id: newId(deps.random, 'res'),
    orgId: caller.orgId,
    uri: Audience.parse(resourceUriOf(uri)),
    handle: newHandle(deps.random, 'res'),
    ver: newHandle(deps.random, 'ver'),
    createdAt: now,
    createdBy: caller.id,
    grantedBy: [...caller.identities],
  }
  const { outcome } = await deps.commitResource(caller.orgId, (counting) =>
    deps.trustLog.commit({
      type: 'record.changed',
      dependsOn: identitiesOf(caller.dependencies.handles),
      operations: [
        ...counting,
        deps.resources.inserting(resource),
        deps.audit.recording(auditDraft(caller, 'resources.register', { subject: resource.id })),
      ],
    }),
  )
  return outcome === 'committed' ? viewOf(deps, resource) : refuse('conflict', 'your own access was revoked concurrently')
}

/** Refuses settings that contradict each other, and an operator agent of another organisation. */
export async function requireSettings(
  deps: Pick<ResourceDeps, 'findClient' | 'resources'>,
  { orgId }: Pick<Caller, 'orgId'>,
  { scopes, policy, operatorAgentId }: ResourceSettings,
  before?: Pick<Resource, 'operatorAgentId'>,
): Promise<void> {
  const offered = scopes.map(({ scope }) => scope)
  const faults: Fault[] = (policy.scopes ?? []).flatMap((scope, i) =>
    coveredBySome(offered, scope) ? [] : [{ pointer: `/policy/scopes/${i}`, hint: 'not among the scopes of the resource' }],
  )
  if (operatorAgentId !== undefined) {
    if ((await deps.findClient(operatorAgentId))?.orgId !== orgId)
      faults.push({ pointer: '/operatorAgentId', hint: 'not an agent of your organisation' })
    else if (operatorAgentId !== before?.operatorAgentId && (await findOperated(deps, operatorAgentId)).length >= MAX_OPERATED)
      faults.push({ pointer: '/operatorAgentId', hint: `it operates ${MAX_OPERATED} resources, the maximum: name another agent` })
  }
  if (faults.length > 0) refuse('bad_input', 'the settings of the resource do not fit together', { faults })
}
