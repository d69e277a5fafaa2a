import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { RegisteredKeyId } from '../../protocol/ids.js'
import type { Ending, Position } from '../../protocol/log/entry.js'
import { requireRegisteredKey } from './authority.js'
import { banKey } from './quota-slots.js'
import { type RevokeKeyDeps, recordingKeyAudit } from './revoke.js'

/**
 * Declares a key compromised since a moment (epoch seconds). The key ends, and so does everything that it granted since then,
 * directly or through a member or key that it let in. The key can never be registered again.
 */
export async function compromiseKey(
  deps: RevokeKeyDeps,
  caller: Caller,
  id: RegisteredKeyId,
  since: number,
): Promise<{ position: Position; ended: number }> {
  await deps.trustLog.readBarrier()
  const registeredKey = await requireRegisteredKey(deps, caller, id)
  await banKey(deps.registeredKeys, registeredKey)
  const ended = new Set<Handle>()
  for (let position: Position | undefined; ; ) {
    const granted = [{ handle: registeredKey.handle }, ...(await grantedOnwards(deps, registeredKey.handle, since))]
    const fresh = granted.filter(({ handle }) => !ended.has(handle) && !deps.trustLog.ended.has(handle))
    // The list is read again after each ending: it then contains what was granted meanwhile, and an ended identity grants nothing more.
    if (position !== undefined && fresh.length === 0) return { position, ended: ended.size }
    for (const { handle } of fresh) ended.add(handle)
    const intent = position === undefined ? [recordingKeyAudit(deps, caller, 'keys.compromise', registeredKey)] : []
    position = (await deps.trustLog.end({ type: 'key.compromised', ends: fresh, intent })).position
  }
}

/**
 * Everything that the identity `by` granted, and everything that the members and keys among it granted in turn: they may act for the thief.
 * Grants of agents, organisations and tasks need no search, because they depend on the handle of their granter.
 */
async function grantedOnwards({ grantedBy }: Pick<RevokeKeyDeps, 'grantedBy'>, by: Handle, since: number): Promise<readonly Ending[]> {
  const granted = new Map<Handle, Ending>()
  const actors = new Set([by])
  for (const actor of actors)
    for (const ending of await grantedBy(actor, since)) {
      granted.set(ending.handle, ending)
      if (/^(mem|key):/.test(ending.handle)) actors.add(ending.handle)
    }
  return [...granted.values()]
}
