import type { z } from 'zod'
import { type CatalogDeps, listEntries } from './catalog.js'
import { type ArdEntry, CATALOG_TYPE, entryOfRegistry, registryTrust } from './entry.js'
import { hostOf } from './identifier.js'
import type { ManifestRequest } from './requests.js'

interface Manifest {
  readonly specVersion: '1.0'
  readonly host: {
    readonly displayName: string
    readonly identifier: string
    readonly documentationUrl: string
    readonly trustManifest: ArdEntry['trustManifest']
  }
  readonly entries: readonly (ArdEntry | CatalogReference)[]
}
type CatalogReference = Pick<ArdEntry, 'identifier' | 'displayName' | 'type' | 'url' | 'description'>

/**
 * The public catalog of the registry, the newest publications first: a manifest of ARD 0.91 (§5.1) and an AI Catalog 1.0. The first page
 * begins with the registry's own entry. Further entries are in a nested catalog, to which the last entry leads.
 */
export async function manifestOf(
  deps: CatalogDeps,
  address: string,
  { pageSize, pageToken }: z.infer<typeof ManifestRequest>,
): Promise<Manifest> {
  const { issuer } = deps
  const { entries, cursor } = await listEntries(deps, address, { limit: pageSize, cursor: pageToken })
  const own = entryOfRegistry(issuer)
  return {
    specVersion: '1.0',
    host: {
      displayName: own.displayName,
      identifier: hostOf(issuer),
      documentationUrl: own.url,
      trustManifest: registryTrust(issuer),
    },
    entries: [
      ...(pageToken === undefined ? [own] : []),
      ...entries,
      ...(cursor === undefined ? [] : [restOfCatalog(issuer, pageSize, cursor)]),
    ],
  }
}

const restOfCatalog = (issuer: string, pageSize: number, cursor: string): CatalogReference => ({
  identifier: `urn:air:${hostOf(issuer)}:catalog:continued`,
  displayName: 'Further agents',
  type: CATALOG_TYPE,
  url: `${issuer}/.well-known/ai-catalog.json?pageSize=${pageSize}&pageToken=${cursor}`,
  description: 'The entries that follow on this page.',
})
