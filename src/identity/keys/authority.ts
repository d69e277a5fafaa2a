import { refuse } from '../../errors.js'
import { type Caller, isAdminOf, isMemberOf } from '../../http/caller.js'
import { AgentId, MemberId, OrgId, type RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

/** Finds the organisation of a key's owner. It is passed in, because this folder does not import agents and members. */
export interface OwnerDeps {
  readonly orgOfOwner: (owner: KeyOwner) => Promise<OrgId | undefined>
}

/**
 * An owner manages its own keys. Administrators manage the keys of their organisation and its members; every member manages the keys of
 * its agents.
 */
function mayManageKeys(caller: Caller, owner: KeyOwner, orgId: OrgId): boolean {
  if (caller.id === owner) return true
  if (OrgId.safeParse(owner).success || MemberId.safeParse(owner).success) return isAdminOf(caller, orgId)
  return AgentId.safeParse(owner).success && isMemberOf(caller, orgId)
}

export async function requireOwner(deps: OwnerDeps, caller: Caller, owner: KeyOwner): Promise<OrgId> {
  const orgId = await deps.orgOfOwner(owner)
  return orgId !== undefined && mayManageKeys(caller, owner, orgId) ? orgId : refuse('not_found', 'no such key owner')
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
