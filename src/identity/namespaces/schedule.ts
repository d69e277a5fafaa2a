import { type Clock, repeat } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { Cursor, Page } from '../../storage/storage.js'
import type { NamespacesDeps } from './authority.js'
import { recheck } from './recheck.js'
import type { Namespace } from './store.js'

interface ScheduleDeps extends Pick<NamespacesDeps, 'namespaces' | 'agents' | 'trustLog' | 'audit' | 'resolver' | 'guardedFetch'> {
  readonly clock: Clock
  readonly log: Log
}

const INTERVAL_MS = 60_000
/** How many names are looked up at the same time. */
const BATCH = 16
/** An instance that takes longer, or has crashed, loses the check to another one. */
const LEASE_SECONDS = 120
/** Cursor before the first due namespace: those whose proof has ended have no `nextCheckAt` and come first in the index. */
const BEFORE_DUE: Cursor = [0, '']

/** Checks the proved namespaces that are due, once a minute until `signal` aborts. Of several instances one checks each namespace. */
export const runNamespaceChecks = (deps: ScheduleDeps, signal: AbortSignal): Promise<void> =>
  repeat(deps.clock, INTERVAL_MS, signal, async () => {
    // A wrong clock would make every namespace due
    if (deps.trustLog.clockFault() === undefined) await checkDueNamespaces(deps, signal).catch((error: unknown) => warn(deps, error))
  })

const warn = ({ log }: ScheduleDeps, error: unknown): void =>
  log.warn('namespaces could not be checked; the next attempt follows within minutes', { error: String(error) })

async function checkDueNamespaces(deps: ScheduleDeps, signal: AbortSignal): Promise<void> {
  for (;;) {
    const page: Page<Namespace> = await deps.namespaces.find('due', { where: {}, after: BEFORE_DUE, limit: BATCH })
    const due = page.items.filter(({ nextCheckAt = Number.POSITIVE_INFINITY }) => nextCheckAt <= deps.trustLog.now())
    await Promise.all(due.map((namespace) => checkOne(deps, namespace).catch((error: unknown) => warn(deps, error))))
    if (due.length < BATCH || signal.aborted) return
  }
}

async function checkOne(deps: ScheduleDeps, { id, ver, nextCheckAt }: Namespace): Promise<void> {
  const leased = await deps.namespaces.change(
    id,
    { ver, nextCheckAt: nextCheckAt ?? null },
    { nextCheckAt: deps.trustLog.now() + LEASE_SECONDS },
  )
  if (!leased) return
  const { name, endedState, lastFailure } = await recheck(deps, leased)
  if (endedState) deps.log.warn('the proof of a namespace has ended after failed checks', { 'namespace.name': name, reason: lastFailure })
}
