import type { RegistryScope } from '../../protocol/rights.js'

/** Describes the scopes of the registry for docs/API.md. */
export const SCOPES: Readonly<Record<RegistryScope, string>> = {
  'cards:write': 'publish, renew, import, deprecate, yank and unpublish cards',
  'agents:write': 'register and change agents and keys',
  'discovery:read': 'search with a token, which finds the parts that the caller may see; anonymous callers find public parts',
  'introductions:write': 'request, read, approve, deny and revoke introductions',
  'tasks:write': 'create, read and end tasks; read lineage; revoke tokens',
  'revocations:read': 'follow the revocation feed',
  'tokens:exchange': 'exchange the root token for tokens of other agents; a root token that was requested without it cannot be exchanged',
  admin: 'manage organisations, members and signing keys, and read the audit log; never granted to agents',
}
