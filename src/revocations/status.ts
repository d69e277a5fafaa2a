import type { Caller } from '../http/caller.js'
import type { Position } from '../protocol/log/entry.js'
import type { StoreState } from '../storage/storage.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'
import type { Hub } from './hub.js'

export interface StatusDeps {
  readonly hub: Pick<Hub, 'lags'>
  readonly trustLog: Pick<ServedTrustLog, 'position' | 'logTime'>
  readonly version: string
  readonly instanceState: () => Promise<InstanceState>
}

/** What an instance knows of itself. */
export interface InstanceState {
  /** Why it is not ready, and what else an operator should know. */
  readonly warnings: readonly string[]
  /** The witness of the head, which detects that the store was restored. `failing`: the last contact failed. */
  readonly witness: WitnessState
  /** The witnesses that cosign checkpoints. `failing`: one of them has not cosigned the newest. */
  readonly cosigners: WitnessState
  /** Entries that the witness does not have yet. */
  readonly witnessBehind?: number
  /** Absent for a database that is no embedded store. */
  readonly disk?: Pick<StoreState, 'freeBytes' | 'reserveBytes' | 'room'>
}
type WitnessState = 'none' | 'current' | 'failing'

/** The state of the registry, as the instance that answers sees it. */
export interface SystemStatus extends Pick<InstanceState, 'witness' | 'cosigners'> {
  readonly version: string
  readonly position: Position
  /** The latest time that a writer of the log has stated (epoch seconds). */
  readonly logTime: number
  /** For each connection of the caller to the revocation feed: the entries that it has not been sent. */
  readonly ownLags: readonly number[]
  /** Only for operators. */
  readonly instance?: Omit<InstanceState, 'witness' | 'cosigners'> & {
    readonly subscribers: number
    /** Of other clients, the largest first: the MAX_LAGS connections that are furthest behind. */
    readonly otherLags: readonly number[]
  }
}

const MAX_LAGS = 100

export async function systemStatus({ hub, trustLog, version, instanceState }: StatusDeps, caller: Caller): Promise<SystemStatus> {
  const { witness, cosigners, ...instance } = await instanceState()
  const lags = hub.lags()
  const lagsOf = (isOwn: boolean) =>
    lags
      .filter(({ clientId }) => (clientId === caller.id) === isOwn)
      .map(({ lag }) => lag)
      .sort((a, b) => b - a)
      .slice(0, MAX_LAGS)
  return {
    version,
    position: trustLog.position,
    logTime: trustLog.logTime(),
    witness,
    cosigners,
    ownLags: lagsOf(true),
    ...(caller.role === 'operator' && { instance: { ...instance, subscribers: lags.length, otherLags: lagsOf(false) } }),
  }
}
