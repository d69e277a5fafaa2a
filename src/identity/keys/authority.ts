import { refuse } from '../../errors.js'
import { type Caller, isAdminOf, isMemberOf } from '../../http/caller.js'
import { AgentId, MemberId, OrgId, type RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

/** Which organisation an owner belongs to, handed in: agents and members are kept by later folders. */
export interface OwnerDeps {
  readonly orgOfOwner: (owner: KeyOwner) => Promise<OrgId | undefined>
}

/** Its owner; for keys of an organisation its administrators; for keys of agents the people of their organisation. */
export function mayManageKeys(caller: Caller, owner: KeyOwner, orgId: OrgId): boolean {
  if (caller.id === owner) return true
  if (OrgId.safeParse(owner).success || MemberId.safeParse(owner).success) return isAdminOf(caller, orgId)
  return AgentId.safeParse(owner).success && isMemberOf(caller, orgId)
}

export async function requireOwner(deps: OwnerDeps, caller: Caller, owner: KeyOwner): Promise<OrgId> {
  const orgId = await deps.orgOfOwner(owner)
  return orgId !== undefined && mayManageKeys(caller, owner, orgId) ? orgId : refuse('not_found', 'no such owner of keys')
}

export async function requireRegisteredKey(
  deps: { readonly registeredKeys: RegisteredKeysStore },
  caller: Caller,
  id: RegisteredKeyId,
): Promise<RegisteredKey> {
  const registeredKey = await deps.registeredKeys.get(id)
  return registeredKey && mayManageKeys(caller, registeredKey.owner, registeredKey.orgId)
    ? registeredKey
    : refuse('not_found', 'no such registered key')
}
