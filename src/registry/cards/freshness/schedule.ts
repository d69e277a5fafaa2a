import { isRefusal } from '../../../errors.js'
import type { FindAgentDeps } from '../../../identity/agents/find.js'
import { type Clock, repeat } from '../../../lib/clock.js'
import type { Log } from '../../../lib/log.js'
import type { ServedTrustLog } from '../../../trust-log/trust-log.js'
import { requirePublishedCard } from '../get.js'
import { CHECK_SECONDS, check, type FreshnessDeps } from './check.js'
import type { FreshnessRecord } from './store.js'

interface ScheduleDeps extends FindAgentDeps, Pick<FreshnessDeps, 'freshness' | 'guardedFetch' | 'cards'> {
  readonly trustLog: ServedTrustLog
  readonly clock: Clock
  readonly log: Log
}

const INTERVAL_MS = 60_000
/** Cards that an instance checks in a minute: half of the rate of outgoing requests is left to callers. */
const CARDS_PER_INTERVAL = 8
/** An instance that takes longer, or has crashed, loses the check to another one. */
const LEASE_SECONDS = 120

/** Repeats the checks that are due, once a minute until `signal` aborts. Of several instances one checks each card. */
export function runFreshnessChecks(deps: ScheduleDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, trustLog } = deps
  return repeat(clock, INTERVAL_MS, signal, async () => {
    // A wrong clock would make every card due
    if (trustLog.clockFault() !== undefined) return
    try {
      const { items } = await deps.freshness.find('due', { where: {}, limit: CARDS_PER_INTERVAL })
      await Promise.all(items.filter(({ nextCheckAt }) => nextCheckAt <= trustLog.now()).map((record) => checkAgain(deps, record)))
    } catch (error) {
      log.warn('the freshness of cards could not be checked; the next attempt is in one minute', { error: String(error) })
    }
  })
}

async function checkAgain(deps: ScheduleDeps, { agentId, nextCheckAt }: FreshnessRecord): Promise<void> {
  const { freshness, log, trustLog } = deps
  const leased = await freshness.change(agentId, { nextCheckAt }, { nextCheckAt: trustLog.now() + LEASE_SECONDS })
  if (!leased) return
  try {
    const { card } = await requirePublishedCard(deps, agentId)
    const { card: state } = await check(deps, card, leased)
    if (state !== leased.card) log.info("the agent's own card was compared with the published one", { 'agent.id': agentId, state })
  } catch (error) {
    if (!isRefusal(error)) throw error
    // The card was withdrawn, or its agent suspended, and its publisher may ask for a check again; or its agent was revoked
    if (error.reason === 'not_found' || error.reason === 'gone') await freshness.take(agentId, {})
    else await freshness.change(agentId, {}, { nextCheckAt: trustLog.now() + CHECK_SECONDS })
  }
}
