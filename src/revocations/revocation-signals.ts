import type { Caller } from '../http/caller.js'
import type { Clock } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import { stands } from '../protocol/standing.js'
import type { TrustLog } from '../trust-log/trust-log.js'

export interface RevocationSignals {
  /** Aborts in the turn in which something that the caller's token stands on ends, when the token expires, or at close(). */
  signal(caller: Caller): AbortSignal
  close(): void
}

/** One listener for all open streams: an ending finds those that stand on it by its handle. */
export function newRevocationSignals({ trustLog, clock }: { readonly trustLog: TrustLog; readonly clock: Clock }): RevocationSignals {
  const byHandle = new Map<Handle, Set<AbortController>>()
  const known = new WeakMap<Caller, AbortSignal>()
  const all = new Set<AbortController>()

  const unlisten = trustLog.onApplied(({ entries }) => {
    for (const { ends } of entries) for (const { handle } of ends) for (const controller of byHandle.get(handle) ?? []) controller.abort()
  })
  const watch = ({ dependencies }: Caller): AbortSignal => {
    const controller = new AbortController()
    all.add(controller)
    for (const handle of dependencies.handles) byHandle.set(handle, (byHandle.get(handle) ?? new Set()).add(controller))
    controller.signal.addEventListener('abort', () => {
      all.delete(controller)
      for (const handle of dependencies.handles) {
        const set = byHandle.get(handle)
        set?.delete(controller)
        if (set?.size === 0) byHandle.delete(handle)
      }
    })
    if (!stands(trustLog.ended, dependencies.handles)) controller.abort()
    const ms = Math.max(0, (dependencies.expiresAt - clock.now()) * 1000)
    if (Number.isFinite(ms)) void clock.after(ms, controller.signal).then(() => controller.abort())
    return controller.signal
  }

  return {
    signal: (caller) => {
      const signal = known.get(caller) ?? watch(caller)
      known.set(caller, signal)
      return signal
    },
    close: () => {
      unlisten()
      for (const controller of all) controller.abort()
    },
  }
}
