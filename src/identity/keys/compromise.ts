import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { RegisteredKeyId } from '../../protocol/ids.js'
import type { Ending, Position } from '../../protocol/log/entry.js'
import { requireRegisteredKey } from './authority.js'
import { banKey } from './quota-slots.js'
import { auditOf, type RevokeKeyDeps } from './revoke.js'

/** Compromised since: ends the key with all that it granted since, and all that was granted by what it let in. */
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
    // Listed again after the ending: what was granted while it was being written is found then, and nothing can follow it.
    if (position !== undefined && fresh.length === 0) return { position, ended: ended.size }
    for (const { handle } of fresh) ended.add(handle)
    const intent = position === undefined ? [auditOf(deps, caller, 'keys.compromise', registeredKey)] : []
    position = (await deps.trustLog.end({ type: 'key.compromised', ends: fresh, intent })).position
  }
}

/**
 * What the handle granted, and what a member or another key granted that it let in: these acted for the thief.
 * What an agent, an organisation or a task let in stands on it anyhow.
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
