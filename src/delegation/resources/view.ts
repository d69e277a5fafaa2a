import type { Handle } from '../../protocol/handles.js'
import { type ResourceMetadata, resourceMetadata, resourceMetadataUrl } from '../../protocol/resources/metadata.js'
import type { ResourceDeps } from './authority.js'
import type { Resource } from './store.js'

/** A resource as its organisation sees it. */
export interface ResourceView extends Omit<Resource, 'id' | 'handle' | 'ver' | 'changeId' | 'grantedBy' | 'changedBy'> {
  readonly resourceId: Resource['id']
  /** `unproved`: no token is issued for it yet. `frozen`: none until a member has reviewed and changed it, because a compromised key had changed it. */
  readonly state: 'unproved' | 'proved' | 'frozen' | 'revoked'
  /** The URL at which its server must serve `document`. */
  readonly wellKnownUrl: string
  readonly document: ResourceMetadata
  readonly handles: readonly Handle[]
}

export function viewOf({ trustLog, issuer }: Pick<ResourceDeps, 'trustLog' | 'issuer'>, resource: Resource): ResourceView {
  const { id, handle, ver, changeId: _, grantedBy: __, changedBy: ___, ...shown } = resource
  const isFrozen = trustLog.ended.has(ver)
  return {
    resourceId: id,
    ...shown,
    state: trustLog.ended.has(handle) ? 'revoked' : isFrozen ? 'frozen' : resource.provedAt === undefined ? 'unproved' : 'proved',
    wellKnownUrl: resourceMetadataUrl(resource.uri),
    document: documentOf(issuer, resource),
    handles: [handle, ver],
  }
}

/** The metadata document that the server of the resource serves (RFC 9728). */
const documentOf = (issuer: string, { id, uri, name, scopes, bearer, documentation }: Resource): ResourceMetadata =>
  resourceMetadata({
    resource: uri,
    issuer,
    name,
    scopes: scopes.map(({ scope }) => scope),
    allowBearer: bearer === 'allowed',
    ...(documentation !== undefined && { documentation }),
    resourceId: id,
  })
