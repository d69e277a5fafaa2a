// All metrics of an instance, in the one place where they are defined. docs/OPERATIONS.md explains each (a test compares them). No label holds an
// id, a name or a text of a caller: its values are names of this program (routes, procedures, reasons, limits), so their number is bounded.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { isRefusal, REFUSALS } from '../../errors.js'

export type Metrics = ReturnType<typeof newMetrics>

/** Seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const ENTRY_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256]

export function newMetrics() {
  const registry = new Registry()
  const registers = [registry]
  const counter = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name, help, labelNames: [...labelNames], registers })
  const gauge = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name, help, labelNames: [...labelNames], registers })
  /** A gauge that has no sample until it is set, because not every registry has what it measures. */
  const optionalGauge = (name: string, help: string) => {
    const created = gauge(name, help)
    created.remove()
    return created
  }
  const seconds = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Histogram<L>({ name, help, labelNames: [...labelNames], buckets: BUCKETS, registers })
  const refusals = counter('credence_refusals_total', 'Refused requests and calls, by the reason of docs/ERRORS.md', ['reason'])
  // Without a sample before it, Prometheus would not see the first increase
  for (const reason of Object.keys(REFUSALS)) refusals.inc({ reason }, 0)
  return {
    httpRequests: counter('credence_http_requests_total', 'HTTP requests by route and outcome', ['endpoint', 'outcome']),
    httpSeconds: seconds('credence_http_request_seconds', 'Time from the headers of a request to its response', ['endpoint']),
    calls: counter('credence_calls_total', 'tRPC calls over HTTP and WebSocket, by procedure and outcome', ['procedure', 'outcome']),
    callSeconds: seconds('credence_call_seconds', 'Time of a tRPC call', ['procedure']),
    refusals,
    limitRejections: counter('credence_limit_rejections_total', 'Requests past a rate or a number of requests at once', ['limit']),
    queueRunning: gauge('credence_queue_running', 'Requests that hold a slot', ['queue']),
    queueWaiting: gauge('credence_queue_waiting', 'Requests that wait for a slot', ['queue']),
    queueSeconds: seconds('credence_queue_wait_seconds', 'Time that a request waited for a slot', ['queue']),
    barrierSeconds: seconds('credence_read_barrier_seconds', 'Time of a read of the log that waiting requests share'),
    commitSeconds: seconds('credence_commit_seconds', 'Time until a write with a log entry is durable, waiting included'),
    blockEntries: new Histogram({
      name: 'credence_block_entries',
      help: 'Entries of the blocks that this instance wrote',
      buckets: ENTRY_BUCKETS,
      registers,
    }),
    storeSeconds: seconds('credence_store_seconds', 'Time of the store for one operation', ['operation']),
    searchSeconds: seconds('credence_search_seconds', 'Time of a search of cards, waiting included', ['caller']),
    outgoing: counter('credence_outgoing_requests_total', 'Requests to hosts that callers chose', ['purpose', 'outcome']),
    feedSubscribers: gauge('credence_feed_subscribers', 'Open connections of the revocation feed'),
    feedLag: gauge('credence_feed_lag_entries', 'Entries that the subscriber furthest behind has not been sent'),
    feedSubscriptions: counter('credence_feed_subscriptions_total', 'Subscriptions to the revocation feed, by how they began', ['start']),
    sockets: gauge('credence_sockets', 'Open WebSockets'),
    logEntries: gauge('credence_log_entries', 'Entries of the trust log'),
    witnessBehind: optionalGauge('credence_witness_behind_entries', 'Entries of the log that the witness does not have yet'),
    witnessReachable: optionalGauge('credence_witness_reachable', '1 if the last contact with the witness succeeded'),
    cosignersFailing: optionalGauge(
      'credence_cosigners_failing',
      'Cosigners that have not cosigned the newest checkpoint that they were sent',
    ),
    cosignersDisputing: optionalGauge('credence_cosigners_disputing', 'Cosigners that know another history of the log'),
    storeWritable: gauge('credence_store_writable', '0 while writes fail'),
    diskFree: optionalGauge('credence_disk_free_bytes', 'Free space of the disk of the embedded store'),
    diskReserve: optionalGauge('credence_disk_reserve_bytes', 'Size of the reserve for revocations; 0 when it was given up'),
    clockPlausible: gauge('credence_clock_plausible', '0 while the clock of this machine is implausible'),
    clockSkew: optionalGauge('credence_clock_skew_seconds', 'Smallest possible difference to the clock of the shared store'),
    ready: gauge('credence_ready', '1 if /readyz answers 200'),
    /** All metrics in the text format of Prometheus, those of the process included. */
    text: async () => `${await registry.metrics()}${await processRegistry().metrics()}`,
    contentType: registry.contentType,
  }
}

let ofProcess: Registry | undefined

/** Metrics of the process, which all instances in it share: memory, CPU, event-loop delay, garbage collection. They begin with the first scrape. */
function processRegistry(): Registry {
  if (ofProcess) return ofProcess
  ofProcess = new Registry()
  collectDefaultMetrics({ register: ofProcess, prefix: 'credence_' })
  // Gauges whose names end in _total, which Prometheus reserves for counters
  for (const name of ['resources', 'handles', 'requests'])
    for (const suffix of ['', '_total']) ofProcess.removeSingleMetric(`credence_nodejs_active_${name}${suffix}`)
  return ofProcess
}

/** Counts an error that is sent to a caller. A bug counts as `server_error`. */
export function countRefusal(metrics: Metrics | undefined, error: unknown): void {
  if (!metrics) return
  const reason = isRefusal(error) ? error.reason : 'server_error'
  metrics.refusals.inc({ reason })
  const limit = isRefusal(error) ? error.detail.rateLimit?.name : undefined
  if (reason === 'rate_limited') metrics.limitRejections.inc({ limit: limit ?? 'other' })
}

/** The outcome of an HTTP status: `failed` is the fault of the registry, or of its load. */
export const outcomeOf = (status: number): 'ok' | 'refused' | 'failed' => (status < 400 ? 'ok' : status < 500 ? 'refused' : 'failed')
