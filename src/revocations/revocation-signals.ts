import type { Caller } from '../http/caller.js'
import type { Clock } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import { stands } from '../protocol/standing.js'
import type { TrustLog } from '../trust-log/trust-log.js'

/**
 * Abort signals for all open connections and streams. One listener on the log finds those that depend on an ended handle.
 * `signalFor` returns a signal that aborts when a handle of the caller's token ends (in the turn that applies it), when the token expires, at
 * `close`, or when `closed` aborts. `closed` must abort when the connection or stream ends: it releases the timer and the index entries.
 */
export function newRevocationSignals({ trustLog, clock }: { readonly trustLog: TrustLog; readonly clock: Clock }) {
  const byHandle = new Map<Handle, Set<AbortController>>()
  const controllers = new Set<AbortController>()

  const unlisten = trustLog.onApplied(({ entries }) => {
    for (const { ends } of entries) for (const { handle } of ends) for (const controller of byHandle.get(handle) ?? []) controller.abort()
  })
  const signalFor = ({ dependencies }: Caller, closed: AbortSignal): AbortSignal => {
    const controller = new AbortController()
    const abort = () => controller.abort()
    controllers.add(controller)
    closed.addEventListener('abort', abort)
    for (const handle of dependencies.handles) byHandle.set(handle, (byHandle.get(handle) ?? new Set()).add(controller))
    controller.signal.addEventListener('abort', () => {
      controllers.delete(controller)
      closed.removeEventListener('abort', abort)
      for (const handle of dependencies.handles) {
        const dependents = byHandle.get(handle)
        dependents?.delete(controller)
        if (dependents?.size === 0) byHandle.delete(handle)
      }
    })
    if (closed.aborted || !stands(trustLog.ended, dependencies.handles)) abort()
    const msLeft = Math.max(0, (dependencies.expiresAt - clock.now()) * 1000)
    if (Number.isFinite(msLeft)) void clock.after(msLeft, controller.signal).then(abort)
    return controller.signal
  }

  return {
    signalFor,
    /** Number of signals that have not aborted. */
    get size(): number {
      return controllers.size
    },
    close: (): void => {
      unlisten()
      for (const controller of [...controllers]) controller.abort()
    },
  }
}
