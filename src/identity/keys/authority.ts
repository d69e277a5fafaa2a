import { refuse } from '../../errors.js'
import { type Caller, isAdminOf, mayOversee, maySee, type Principal } from '../../http/caller.js'
import type { ClientUri, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner } from '../../protocol/key-statement.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

/** Finds the organisation of a key's owner, and the URL of its metadata if it was admitted by one. Passed in, because agents and members import this folder. */
export interface OwnerDeps {
  readonly orgOfOwner: (owner: KeyOwner) => Promise<OrgId | undefined>
  readonly clientUriOf: (owner: KeyOwner) => Promise<ClientUri | undefined>
}

/** `register` gives the owner's identity to the holder of a key, also by rotation or a one-time code; `revoke`, retiring and declaring a key compromised take it away. */
type KeyAction = 'see' | 'register' | 'revoke'

/**
 * An owner manages its own keys. Those of its organisation, agents and members are registered by the organisation's own administrators, and
 * revoked by them or by an operator. Its members see them. Other callers get `not_found`.
 */
function requireMayManage(caller: Caller, owner: KeyOwner, orgId: OrgId | undefined, action: KeyAction): OrgId | undefined {
  if (orgId === undefined || !(caller.id === owner || maySee(caller, orgId))) return undefined
  if (action === 'see' || caller.id === owner) return orgId
  return (action === 'register' ? mayRegister(caller, owner, orgId) : mayOversee(caller, orgId))
    ? orgId
    : refuse('forbidden', `only the owner of the key and administrators of its organisation may ${action} it`)
}

/** The part of the rule that the issuer of a one-time code must still meet when the code is redeemed. */
export const mayRegister = (caller: Principal & Pick<Caller, 'id'>, owner: KeyOwner, orgId: OrgId): boolean =>
  caller.id === owner || isAdminOf(caller, orgId)

/**
 * Returns the organisation of the owner to a caller that may act on the owner's keys. No key is registered for an agent that was admitted by the URL of
 * its metadata: it has those of the document.
 */
export async function requireOwner(deps: OwnerDeps, caller: Caller, owner: KeyOwner, action: KeyAction): Promise<OrgId> {
  const orgId = requireMayManage(caller, owner, await deps.orgOfOwner(owner), action) ?? refuse('not_found', 'no such key owner')
  const clientUri = action === 'register' ? await deps.clientUriOf(owner) : undefined
  return clientUri === undefined ? orgId : refuse('conflict', `the agent has the keys of its metadata: publish the key at ${clientUri}`)
}

/** Returns the key to a caller that may revoke it. */
export const requireRegisteredKey = async (
  { registeredKeys }: { readonly registeredKeys: RegisteredKeysStore },
  caller: Caller,
  id: RegisteredKeyId,
): Promise<RegisteredKey> => requireRevocable(caller, await registeredKeys.get(id))

export const requireRevocable = <Key extends Pick<RegisteredKey, 'owner' | 'orgId'>>(caller: Caller, key: Key | undefined): Key =>
  key && requireMayManage(caller, key.owner, key.orgId, 'revoke') !== undefined ? key : refuse('not_found', 'no such registered key')
