import type { HistoryView } from '../../audit/history.js'
import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { ClientId, Jkt, RegisteredKeyId } from '../../protocol/ids.js'
import type { KeyOwner, KeyPurpose } from '../../protocol/key-statement.js'
import { type OwnerDeps, requireOwner } from './authority.js'
import { findRegisteredKeys } from './find.js'
import type { RegisterKeyDeps } from './register.js'
import type { RegisteredKey } from './store.js'

/** A registered key in the response of `keys.list`. */
interface RegisteredKeyView extends Partial<HistoryView> {
  readonly keyId: RegisteredKeyId
  readonly owner: KeyOwner
  readonly use: KeyPurpose
  readonly jkt: Jkt
  readonly alg: string
  readonly registeredAt: number
  /** The client that registered the key. */
  readonly registeredBy: ClientId
  readonly retiresAt?: number | undefined
  /** A retired key becomes `revoked` once no token that it authenticated can be valid. */
  readonly state: 'active' | 'retired' | 'revoked'
  readonly handles: readonly Handle[]
}

export interface RegisteredKeyList {
  readonly items: readonly RegisteredKeyView[]
}

/** Revoked keys older than the newest MAX_HISTORY registrations are left out. */
const MAX_HISTORY = 100

/** Lists the keys of an owner, oldest first: all that stand, and the newest revoked ones. */
export async function listRegisteredKeys(
  deps: Pick<RegisterKeyDeps, 'registeredKeys' | 'trustLog' | 'audit'> & OwnerDeps,
  caller: Caller,
  owner: KeyOwner,
): Promise<RegisteredKeyList> {
  await requireOwner(deps, caller, owner, 'see')
  const [inSlots, newest] = await Promise.all([
    findRegisteredKeys(deps, owner),
    deps.registeredKeys.find('owner', { where: { owner }, order: 'down', limit: MAX_HISTORY }),
  ])
  const known = [...[...newest.items].reverse(), ...inSlots]
  const distinct = [...new Map(known.map((key) => [key.id, key])).values()].sort((a, b) => a.registeredAt - b.registeredAt)
  const findHistory = deps.audit.history(caller)
  const viewOf = async ({ id, handle, retiresAt, ...key }: RegisteredKey): Promise<RegisteredKeyView> => {
    const { use, jkt, alg, registeredAt, registeredBy } = key
    const hasEnded = deps.trustLog.ended.has(handle)
    const state = hasEnded ? 'revoked' : retiresAt === undefined ? 'active' : 'retired'
    const ending = hasEnded ? await findHistory([handle]) : undefined
    return { keyId: id, owner, use, jkt, alg, registeredAt, registeredBy, retiresAt, state, handles: [handle], ...ending }
  }
  return { items: await Promise.all(distinct.map(viewOf)) }
}
