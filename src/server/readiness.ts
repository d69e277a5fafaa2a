// Answers of the endpoints for operators: whether the instance can serve requests, whether it should be restarted, and the gauges of its state.
import { refuse } from '../errors.js'
import type { HttpServer } from '../http/server.js'
import { type Clock, repeat } from '../lib/clock.js'
import type { Metrics } from '../lib/telemetry/metrics.js'
import { parsePosition } from '../protocol/log/entry.js'
import type { Hub } from '../revocations/hub.js'
import type { InstanceState } from '../revocations/status.js'
import type { Storage } from '../storage/storage.js'
import type { CosignatureCollection } from '../trust-log/cosignatures/collect.js'
import { findReadFailure } from '../trust-log/read-barrier.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import type { WitnessUpdates } from '../trust-log/witness/witness.js'

interface ReadinessDeps {
  readonly storage: Pick<Storage, 'state'>
  readonly trustLog: ServedTrustLog
  /** Undefined without a witness. */
  readonly witnessState: () => ReturnType<WitnessUpdates['state']> | undefined
}
interface CosignerDeps {
  /** Undefined without cosigners. */
  readonly cosignerState: () => ReturnType<CosignatureCollection['state']> | undefined
}

/** The reason why the instance cannot serve requests now, for an operator: writes fail, the clock is implausible, the log cannot be read, or the witness is missing. */
export const whyNotReady = async ({ storage, trustLog, witnessState }: ReadinessDeps): Promise<string | undefined> =>
  storage.state?.().fault ?? (await findReadFailure(trustLog)) ?? witnessState()?.fault

/** What an operator should know of an instance that is ready. */
export const readinessWarnings = ({ cosignerState }: CosignerDeps): readonly string[] => cosignerState()?.warnings ?? []

/** Why the instance is not ready, and its warnings, for operators. */
export async function instanceState(deps: ReadinessDeps & CosignerDeps): Promise<InstanceState> {
  const [fault, witness, cosigners, store] = [await whyNotReady(deps), deps.witnessState(), deps.cosignerState(), deps.storage.state?.()]
  return {
    warnings: [...(fault === undefined ? [] : [fault]), ...readinessWarnings(deps)],
    witness: witness === undefined ? 'none' : witness.isReachable ? 'current' : 'failing',
    cosigners: cosigners === undefined ? 'none' : cosigners.failing === 0 ? 'current' : 'failing',
    ...(witness && { witnessBehind: witness.behind }),
    ...(store && { disk: { freeBytes: store.freeBytes, reserveBytes: store.reserveBytes, room: store.room } }),
  }
}

/** After this time a supervisor should restart the process, so that the rule for the start decides about the clock. */
const MAX_IMPLAUSIBLE_MS = 60_000

/** The reason why the process should be restarted. */
export function whyNotAlive({ storage, trustLog }: ReadinessDeps): string | undefined {
  const store = storage.state?.()
  const clock = trustLog.clockFault()
  if (store?.needsRestart) return store.fault
  return clock !== undefined && clock.forMs > MAX_IMPLAUSIBLE_MS ? clock.text : undefined
}

const PROBE_MS = 5000

/** Tests every few seconds whether an idle store can be written, and keeps the reserve on its disk. */
export async function probeStore(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  if (!storage.probe) return
  await storage.probe()
  await repeat(clock, PROBE_MS, signal, () => storage.probe?.())
}

/**
 * Refuses with `unavailable` while the disk has room for more important writes only: no creations if it is nearly full, and no tokens for other
 * agents once the reserve was given up. Revocations, and what a client needs to send one, are never refused here.
 */
export function requireRoom(storage: Pick<Storage, 'state'>, isFor: 'creation' | 'token'): void {
  const room = storage.state?.().room ?? 'enough'
  if (room === 'reserve' || (room === 'little' && isFor === 'creation'))
    refuse('unavailable', 'the disk of the registry is nearly full, so it stores nothing new; revocations still succeed, retry in 60 s', {
      retryAfterSeconds: 60,
    })
}

interface MetricsDeps extends ReadinessDeps, CosignerDeps {
  readonly metrics: Metrics
  readonly hub: Pick<Hub, 'count'>
  readonly searchLimits: Readonly<Record<'authenticated' | 'anonymous', HttpServer['queues']['clients']>>
}

interface Servers {
  readonly http: Pick<HttpServer, 'queues'>
  readonly upgrades: { readonly sockets: number }
  readonly isDraining: boolean
}

/** Sets the gauges to the state now, and returns all metrics. `servers` is undefined while the instance starts. */
export async function metricsText(deps: MetricsDeps, servers: Servers | undefined): Promise<string> {
  const { metrics, hub, searchLimits, trustLog } = deps
  const isReady = servers !== undefined && !servers.isDraining && (await whyNotReady(deps)) === undefined
  metrics.ready.set(isReady ? 1 : 0)
  metrics.clockPlausible.set(trustLog.clockFault() === undefined ? 1 : 0)
  metrics.logEntries.set(parsePosition(trustLog.position).seq + 1)
  setStore(deps)
  setWitness(deps)
  setCosigners(deps)
  const feed = hub.count()
  metrics.feedSubscribers.set(feed.subscribers)
  metrics.feedLag.set(feed.lag)
  metrics.sockets.set(servers?.upgrades.sockets ?? 0)
  const queues = {
    ...servers?.http.queues.limits,
    search_authenticated: searchLimits.authenticated,
    search_anonymous: searchLimits.anonymous,
  }
  for (const [queue, limit] of Object.entries(queues)) {
    const { running, waiting } = limit.count()
    metrics.queueRunning.set({ queue }, running)
    metrics.queueWaiting.set({ queue }, waiting)
  }
  return metrics.text()
}

/** A database that is no embedded store has no metrics of its disk here. */
function setStore({ storage, metrics }: MetricsDeps): void {
  const state = storage.state?.()
  metrics.storeWritable.set(state?.fault === undefined ? 1 : 0)
  if (!state) return
  metrics.diskFree.set(state.freeBytes)
  metrics.diskReserve.set(state.reserveBytes)
}

function setWitness({ witnessState, metrics }: MetricsDeps): void {
  const state = witnessState()
  if (!state) return
  metrics.witnessBehind.set(state.behind)
  metrics.witnessReachable.set(state.isReachable ? 1 : 0)
}

function setCosigners({ cosignerState, metrics }: MetricsDeps): void {
  const state = cosignerState()
  if (!state) return
  metrics.cosignersFailing.set(state.failing)
  metrics.cosignersDisputing.set(state.disputing)
}
