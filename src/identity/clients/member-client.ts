import { Audience, type MemberId } from '../../protocol/ids.js'
import { REGISTRY_SCOPES, Scope } from '../../protocol/rights.js'
import { groundOf } from '../../protocol/standing.js'
import type { Reading } from '../../trust-log/records/cache.js'
import { isWhole } from '../../trust-log/records/records.js'
import { readEnrolments } from '../keys/find.js'
import type { EnrolmentsStore } from '../keys/store.js'
import type { MembersStore } from '../members/store.js'
import type { OrganisationsStore } from '../organisations/store.js'
import { type Client, clientKeyOf } from './client.js'

export interface MemberClientDeps {
  readonly members: MembersStore
  readonly organisations: OrganisationsStore
  readonly enrolments: EnrolmentsStore
  readonly issuer: string
}

const MEMBER_TOKEN_SECONDS = 900

/** A member as an OAuth client: it speaks to the registry only, within its role. */
export async function readMemberClient(deps: MemberClientDeps, id: MemberId): Promise<Reading<Client> | undefined> {
  const member = await deps.members.get(id)
  const organisation = member && (await deps.organisations.get(member.orgId))
  if (!member || !organisation) return undefined
  const audience = Audience.parse(deps.issuer)
  const { enrolments, isAll } = await readEnrolments(deps, id)
  const ground = groundOf([member.handle, member.ver, organisation.handle])
  const value: Client = {
    kind: 'member',
    id: member.id,
    orgId: member.orgId,
    role: member.role,
    ceiling: {
      // What a scope reaches is decided by the role, at each procedure.
      rights: REGISTRY_SCOPES.map((scope) => ({ audience, scope: Scope.parse(scope) })),
      tokenSeconds: MEMBER_TOKEN_SECONDS,
      delegationDepth: 0,
    },
    ground,
    keys: enrolments.map(clientKeyOf),
  }
  return { value, on: ground.on, isWhole: isAll && isWhole(member) && isWhole(organisation) }
}
