import { type Clock, repeat } from '../../lib/clock.js'
import type { Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { type CountDeps, countUses } from './count.js'

interface ScheduleDeps extends CountDeps {
  readonly storage: Pick<Storage, 'commit' | 'count'>
  readonly trustLog: Pick<TrustLog, 'clockFault'>
  readonly clock: Clock
}

const INTERVAL_MS = 60_000
/** A fifth of the time. */
const MAX_MS = 12_000
/** Shorter than the interval, so that the next pass of any instance finds it expired. */
const LEASE_SECONDS = 50

/** Counts uses once a minute until `signal` aborts. Of several instances one counts. */
export const runUseCounting = (deps: ScheduleDeps, signal: AbortSignal): Promise<void> =>
  repeat(deps.clock, INTERVAL_MS, signal, async () => {
    // Under a wrong clock the lease would seem to last for years
    if (deps.trustLog.clockFault() !== undefined) return
    try {
      const lease = await deps.storage.count('lease of the counting of uses', 1, 1, deps.clock.now() + LEASE_SECONDS)
      if (lease !== undefined) await countUses(deps, MAX_MS, signal)
    } catch (error) {
      deps.log.warn('uses could not be counted; the next attempt is in one minute', { error: String(error) })
    }
  })
