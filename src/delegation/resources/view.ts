import { type ResourceMetadata, resourceMetadata, resourceMetadataUrl } from '../../protocol/resources/metadata.js'
import type { ResourceDeps } from './authority.js'
import type { Resource } from './store.js'

/** A resource as its organisation sees it. */
export interface ResourceView extends Omit<Resource, 'id' | 'handle' | 'ver' | 'changeId'> {
  readonly resourceId: Resource['id']
  /** `unproved`: no token is issued for it yet. */
  readonly state: 'unproved' | 'proved' | 'revoked'
  /** Where its server must serve `document`. */
  readonly wellKnownUrl: string
  readonly document: ResourceMetadata
}

export function viewOf({ trustLog, issuer }: Pick<ResourceDeps, 'trustLog' | 'issuer'>, resource: Resource): ResourceView {
  const { id, handle, ver: _, changeId: __, ...shown } = resource
  return {
    resourceId: id,
    ...shown,
    state: trustLog.ended.has(handle) ? 'revoked' : resource.provedAt === undefined ? 'unproved' : 'proved',
    wellKnownUrl: resourceMetadataUrl(resource.uri),
    document: documentOf(issuer, resource),
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
