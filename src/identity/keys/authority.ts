import { refuse } from '../../errors.js'
import { actsFor, administers, type Caller } from '../../http/caller.js'
import { AgentId, type EnrolmentId, MemberId, OrgId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { Enrolment, EnrolmentsStore } from './store.js'

/** Which organisation an owner belongs to, handed in: agents and members are kept by later folders. */
export interface OwnerDeps {
  readonly orgOfOwner: (owner: KeyOwner) => Promise<OrgId | undefined>
}

/** Its owner; for keys of an organisation its administrators; for keys of agents the people of their organisation. */
export function mayManageKeys(caller: Caller, owner: KeyOwner, orgId: OrgId): boolean {
  if (caller.id === owner) return true
  if (OrgId.safeParse(owner).success || MemberId.safeParse(owner).success) return administers(caller, orgId)
  return AgentId.safeParse(owner).success && actsFor(caller, orgId)
}

export async function requireOwner(deps: OwnerDeps, caller: Caller, owner: KeyOwner): Promise<OrgId> {
  const orgId = await deps.orgOfOwner(owner)
  return orgId !== undefined && mayManageKeys(caller, owner, orgId) ? orgId : refuse('not_found', 'no such owner of keys')
}

export async function requireEnrolment(
  deps: { readonly enrolments: EnrolmentsStore },
  caller: Caller,
  id: EnrolmentId,
): Promise<Enrolment> {
  const enrolment = await deps.enrolments.get(id)
  return enrolment && mayManageKeys(caller, enrolment.owner, enrolment.orgId) ? enrolment : refuse('not_found', 'no such enrolment')
}
