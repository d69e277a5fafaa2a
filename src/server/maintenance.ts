import type { AgentsStore } from '../identity/agents/store.js'
import { endRetiredKeys } from '../identity/keys/retire.js'
import type { RevokeKeyDeps } from '../identity/keys/revoke.js'
import { type Clock, repeat } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import { withdrawRevokedCards } from '../registry/cards/life/withdraw-revoked.js'
import type { Storage } from '../storage/storage.js'

interface MaintenanceDeps extends Pick<RevokeKeyDeps, 'registeredKeys' | 'trustLog'> {
  readonly storage: Storage
  readonly agents: AgentsStore
  readonly clock: Clock
  readonly log: Log
}

const INTERVAL_MS = 60_000
const PURGE_BATCH = 2000
/** Purging follows log time, because the machine's clock may be wrong; but a replay key is needed until the machine's clock has passed its expiry. */
const PURGE_MARGIN_SECONDS = 600

/** Ends the handles of retired keys, removes the cards of revoked agents from the search and purges expired documents, once a minute until `signal` aborts. */
export function runMaintenance(deps: MaintenanceDeps, signal: AbortSignal): Promise<void> {
  const { storage, clock, log } = deps
  return repeat(clock, INTERVAL_MS, signal, async () => {
    try {
      await endRetiredKeys(deps)
      await withdrawRevokedCards(deps)
      while (
        (await storage.purge(Math.min(deps.trustLog.logTime(), clock.now()) - PURGE_MARGIN_SECONDS, PURGE_BATCH)) === PURGE_BATCH &&
        !signal.aborted
      );
    } catch (error) {
      log.warn('maintenance failed; the next attempt is in one minute', { error: String(error) })
    }
  })
}
