import type { RegistryScope } from '../../protocol/rights.js'

/** The scopes of the registry in words, for docs/API.md. */
export const SCOPES: Readonly<Record<RegistryScope, string>> = {
  'cards:write': 'publish, renew, import and unpublish cards',
  'agents:write': 'register and change agents and keys',
  'discovery:read': 'search with what the token entitles to; without it search shows public parts',
  'introductions:write': 'request, read, approve, deny and revoke introductions',
  'tasks:write': 'create, read and end tasks; read lineage; revoke tokens',
  'revocations:read': 'follow the revocation feed',
  admin: 'organisations, members, audit, signing keys; never given to agents',
}
