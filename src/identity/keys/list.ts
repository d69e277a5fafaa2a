import type { Caller } from '../../http/caller.js'
import type { Jkt, RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner, KeyPurpose } from '../../protocol/key-statement.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { findRegisteredKeys } from './find.js'
import type { RegisterKeyDeps } from './register.js'

/** A registered key in the response of `keys.list`. */
interface RegisteredKeyView {
  readonly keyId: RegisteredKeyId
  readonly owner: KeyOwner
  readonly use: KeyPurpose
  readonly jkt: Jkt
  readonly alg: string
  readonly registeredAt: number
  readonly retiresAt?: number | undefined
  /** A retired key becomes `revoked` once no token that it authenticated can be valid. */
  readonly state: 'active' | 'retired' | 'revoked'
}

export interface RegisteredKeyList {
  readonly items: readonly RegisteredKeyView[]
}

/** Lists the keys of an owner, oldest first. */
export async function listRegisteredKeys(
  deps: Pick<RegisterKeyDeps, 'registeredKeys' | 'trustLog'> & OwnerDeps,
  caller: Caller,
  owner: KeyOwner,
): Promise<RegisteredKeyList> {
  await requireOwner(deps, caller, owner)
  const registeredKeys = await findRegisteredKeys(deps, owner)
  const items = registeredKeys.map(({ id, use, jkt, alg, registeredAt, handle, retiresAt }): RegisteredKeyView => {
    const state = deps.trustLog.ended.has(handle) ? 'revoked' : retiresAt === undefined ? 'active' : 'retired'
    return { keyId: id, owner, use, jkt, alg, registeredAt, retiresAt, state }
  })
  return { items }
}
