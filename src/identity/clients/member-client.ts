import { Audience, type MemberId } from '../../protocol/ids.js'
import { REGISTRY_SCOPES, Scope } from '../../protocol/rights.js'
import { dependenciesOf } from '../../protocol/standing.js'
import type { CacheableRead } from '../../trust-log/cache.js'
import { findRegisteredKeys } from '../keys/find.js'
import type { RegisteredKeysStore } from '../keys/store.js'
import type { MembersStore } from '../members/store.js'
import type { OrganisationsStore } from '../organisations/store.js'
import { type Client, clientKeyOf } from './client.js'

interface MemberClientDeps {
  readonly members: MembersStore
  readonly organisations: OrganisationsStore
  readonly registeredKeys: RegisteredKeysStore
  readonly issuer: string
}

const MEMBER_TOKEN_SECONDS = 900

/** Reads a member as an OAuth client. A member gets tokens only for the registry. */
export async function readMemberClient(deps: MemberClientDeps, id: MemberId): Promise<CacheableRead<Client> | undefined> {
  const member = await deps.members.get(id)
  const organisation = member && (await deps.organisations.get(member.orgId))
  if (!member || !organisation) return undefined
  const audience = Audience.parse(deps.issuer)
  const registeredKeys = await findRegisteredKeys(deps, id)
  const dependencies = dependenciesOf([member.handle, member.ver, organisation.handle])
  const value: Client = {
    kind: 'member',
    id: member.id,
    orgId: member.orgId,
    role: member.role,
    ceiling: {
      // A member may have every scope; each procedure checks the role as well.
      rights: REGISTRY_SCOPES.map((scope) => ({ audience, scope: Scope.parse(scope) })),
      tokenSeconds: MEMBER_TOKEN_SECONDS,
      delegationDepth: 0,
    },
    dependencies,
    keys: registeredKeys.map(clientKeyOf),
  }
  return { value, dependsOn: dependencies.handles }
}
