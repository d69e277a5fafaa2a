import type { Caller } from '../http/caller.js'
import type { Clock } from '../lib/clock.js'
import type { Handle } from '../protocol/handles.js'
import { stands } from '../protocol/standing.js'
import type { TrustLog } from '../trust-log/trust-log.js'

/**
 * Abort signals for all open streams. One listener on the log finds the streams that depend on an ended handle.
 * `signalFor` returns a signal that aborts when a handle of the caller's token ends (in the turn that applies it), when the token expires, or at
 * `close`.
 */
export function newRevocationSignals({ trustLog, clock }: { readonly trustLog: TrustLog; readonly clock: Clock }) {
  const byHandle = new Map<Handle, Set<AbortController>>()
  const byCaller = new WeakMap<Caller, AbortSignal>()
  const controllers = new Set<AbortController>()

  const unlisten = trustLog.onApplied(({ entries }) => {
    for (const { ends } of entries) for (const { handle } of ends) for (const controller of byHandle.get(handle) ?? []) controller.abort()
  })
  const newSignal = ({ dependencies }: Caller): AbortSignal => {
    const controller = new AbortController()
    controllers.add(controller)
    for (const handle of dependencies.handles) byHandle.set(handle, (byHandle.get(handle) ?? new Set()).add(controller))
    controller.signal.addEventListener('abort', () => {
      controllers.delete(controller)
      for (const handle of dependencies.handles) {
        const dependents = byHandle.get(handle)
        dependents?.delete(controller)
        if (dependents?.size === 0) byHandle.delete(handle)
      }
    })
    if (!stands(trustLog.ended, dependencies.handles)) controller.abort()
    const msLeft = Math.max(0, (dependencies.expiresAt - clock.now()) * 1000)
    if (Number.isFinite(msLeft)) void clock.after(msLeft, controller.signal).then(() => controller.abort())
    return controller.signal
  }

  return {
    signalFor: (caller: Caller): AbortSignal => {
      const signal = byCaller.get(caller) ?? newSignal(caller)
      byCaller.set(caller, signal)
      return signal
    },
    close: (): void => {
      unlisten()
      for (const controller of controllers) controller.abort()
    },
  }
}
