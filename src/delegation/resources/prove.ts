import { z } from 'zod'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { readJson } from '../../lib/json.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { ResourceId } from '../../protocol/ids.js'
import { resourceMetadataUrl } from '../../protocol/resources/metadata.js'
import { resourceUriOf } from '../../protocol/resources/uri.js'
import { stands } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import { type ResourceDeps, requireOwn, requireSeen, requireUnrevoked } from './authority.js'
import type { Resource, ResourcesStore } from './store.js'
import { type ResourceView, viewOf } from './view.js'

/** The members that the metadata of the server (RFC 9728) must have. */
const Proof = z.object({
  resource: z.string(),
  authorization_servers: z.array(z.string()).max(16),
  credence_resource: z.string(),
  dpop_bound_access_tokens_required: z.boolean().optional(),
})

/** Reads the metadata at the URI of the resource. If they name this resource and this registry, the resource may have tokens. */
export async function proveResource(deps: ResourceDeps, caller: Caller, id: ResourceId): Promise<ResourceView> {
  const resource = await requireOwn(deps, caller, id)
  if (resource.provedAt !== undefined) return viewOf(deps, resource)
  const url = resourceMetadataUrl(resource.uri)
  const { body } = await deps.guardedFetch({ url, purpose: 'resource', cause: caller })
  const fault = faultOfProof(deps, resource, body)
  if (fault !== undefined)
    refuse('resource_unproved', `the metadata at ${url} do not prove the resource: ${fault}`, {
      faults: [{ pointer: '/resourceId', hint: 'serve the `document` of resources.get there, unchanged' }],
    })
  return saveProof(deps, caller, resource, 'resources.prove')
}

/** Accepts a resource whose server the registry cannot reach. For operators. */
export async function confirmResource(deps: ResourceDeps, caller: Caller, id: ResourceId): Promise<ResourceView> {
  const resource = requireUnrevoked(deps, await requireSeen(deps, caller, id))
  return resource.provedAt === undefined ? saveProof(deps, caller, resource, 'resources.confirm') : viewOf(deps, resource)
}

function faultOfProof({ issuer }: ResourceDeps, { id, uri, bearer }: Resource, body: Uint8Array): string | undefined {
  const json = readJson(body, { maxDepth: 8 })
  const parsed = Proof.safeParse('value' in json ? json.value : undefined)
  if (!parsed.success) return 'not a JSON object with `resource`, `authorization_servers` and `credence_resource`'
  const { resource, authorization_servers, credence_resource, dpop_bound_access_tokens_required: isBoundOnly } = parsed.data
  if (resourceUriOf(resource) !== uri) return `\`resource\` is not ${uri}`
  if (!authorization_servers.includes(issuer)) return `\`authorization_servers\` does not name ${issuer}`
  if (credence_resource !== id) return `\`credence_resource\` is not ${id}`
  // Clients would get bearer tokens that the server refuses, or none where it accepts them
  return isBoundOnly === undefined || isBoundOnly === (bearer !== 'allowed')
    ? undefined
    : `\`dpop_bound_access_tokens_required\` is ${isBoundOnly}, but the resource has \`bearer\`: ${bearer}. Change the resource, or \`allowBearer\` of its verifier`
}

/** A resource that has ended leaves its URI, also if its organisation was revoked. */
async function takingUri(
  { resources, organisations, trustLog }: ResourceDeps,
  taken: Parameters<ResourcesStore['uris']['inserting']>[0],
): Promise<Operation> {
  const earlier = await resources.uris.get(taken.id)
  const holder = earlier && (await resources.get(earlier.resourceId))
  const owner = holder && (await organisations.get(holder.orgId))
  const hasEnded = holder && owner && !stands(trustLog.ended, [holder.handle, owner.handle])
  return earlier && hasEnded
    ? resources.uris.changing(taken.id, { resourceId: earlier.resourceId }, { resourceId: taken.resourceId, orgId: taken.orgId })
    : resources.uris.inserting(taken)
}

/** The first proof of a URI takes it. */
async function saveProof(deps: ResourceDeps, caller: Caller, resource: Resource, action: string): Promise<ResourceView> {
  const { id, uri, orgId, handle, ver } = resource
  const provedAt = deps.trustLog.now()
  const draft = auditDraft(caller, action, { orgId, subject: id })
  const committed = await deps.trustLog.commit({
    type: 'record.changed',
    dependsOn: [handle, ver, ...identitiesOf(caller.dependencies.handles)],
    operations: [
      await takingUri(deps, { id: uri, resourceId: id, orgId }),
      deps.resources.changing(id, { provedAt: null }, { provedAt }),
      deps.audit.recording(draft),
    ],
  })
  if (committed.outcome === 'committed') return viewOf(deps, { ...resource, provedAt })
  const proved = await deps.resources.uris.get(uri)
  // Proved by another request at the same time
  if (proved?.resourceId === id) return viewOf(deps, await requireSeen(deps, caller, id))
  return committed.outcome === 'conflict' && committed.failed === 0
    ? refuse('already_exists', 'another resource has been proved for this URI')
    : refuse('conflict', 'the resource was changed or proved concurrently, or your own access was revoked; read it and try again')
}
