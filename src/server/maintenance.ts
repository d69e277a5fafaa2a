import { removeExpiredRows } from '../audit/remove-rows.js'
import { type EndUnusedDeps, endUnusedClients } from '../identity/clients/end-unused.js'
import { type EndRetiredDeps, endRetiredKeys } from '../identity/keys/retire.js'
import { type Clock, repeat } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import { type ReindexDeps, reindexChangedCards } from '../registry/cards/search-rows/reindex.js'
import type { Storage } from '../storage/storage.js'

type MaintenanceDeps = EndRetiredDeps &
  EndUnusedDeps &
  Parameters<typeof removeExpiredRows>[0] &
  ReindexDeps & {
    readonly storage: Storage
    readonly clock: Clock
    readonly log: Log
  }

const INTERVAL_MS = 60_000
const PURGE_BATCH = 2000
/** Purging follows log time, because the machine's clock may be wrong; but a replay key is needed until the machine's clock has passed its expiry. */
const PURGE_MARGIN_SECONDS = 600

/**
 * Once a minute until `signal` aborts: ends the handles of retired keys and of unused clients, indexes cards again whose agents, keys or namespaces have ended or returned,
 * purges expired documents, and removes audit rows past their retention.
 */
export function runMaintenance(deps: MaintenanceDeps, signal: AbortSignal): Promise<void> {
  const { storage, clock, log } = deps
  return repeat(clock, INTERVAL_MS, signal, async () => {
    try {
      await endRetiredKeys(deps)
      await endUnusedClients(deps)
      await reindexChangedCards(deps)
      const purgedUntil = Math.min(deps.trustLog.logTime(), clock.now()) - PURGE_MARGIN_SECONDS
      while ((await storage.purge(purgedUntil, PURGE_BATCH)) === PURGE_BATCH && !signal.aborted);
      await removeExpiredRows(deps, purgedUntil)
    } catch (error) {
      log.warn('maintenance failed; the next attempt is in one minute', { error: String(error) })
    }
  })
}
