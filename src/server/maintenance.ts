import { endRetiredKeys } from '../identity/keys/retire.js'
import type { RevokeKeyDeps } from '../identity/keys/revoke.js'
import type { Clock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import { type RebuildDeps, rebuildRows } from '../registry/cards/search-rows/rebuild-rows.js'
import type { Storage } from '../storage/storage.js'

export interface MaintenanceDeps extends Pick<RevokeKeyDeps, 'registeredKeys' | 'trustLog'>, RebuildDeps {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
}

const TURN_MS = 60_000
const PURGE_LIMIT = 2000

/** What nobody waits for, turn after turn until `signal` aborts: expired documents go, retired keys end, what search shows is made anew after an upgrade. */
export async function runMaintenance(deps: MaintenanceDeps, signal: AbortSignal): Promise<void> {
  const { storage, clock, log } = deps
  await rebuildRows(deps, { signal })
  for (;;) {
    await clock.after(TURN_MS, signal)
    if (signal.aborted) return
    try {
      await endRetiredKeys(deps)
      while ((await storage.purge(clock.now(), PURGE_LIMIT)) === PURGE_LIMIT && !signal.aborted);
    } catch (error) {
      log.warn('tending failed; the next turn tries again', { error: String(error) })
    }
  }
}
