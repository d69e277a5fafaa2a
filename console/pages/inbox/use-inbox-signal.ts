import { useEffect } from 'preact/hooks'
import { newInboxSignal } from '../../../src/client/introductions/inbox-signal.js'
import { clientClock } from '../../../src/lib/clock.js'
import { useConsole } from '../../api/console.js'
import type { Viewer } from '../../api/viewer.js'

/** What waits is read at most this often. */
const DISTANCE_MS = 1000

/** The role `person` decides about nothing, and may not watch the inbox. */
const mayWatch = ({ role }: Viewer): boolean => role !== 'person'

/** Reads again what waits when the inbox of the organisation has changed: a pending request makes no entry in the log, and has no handle that ends. */
export function useInboxSignal(): void {
  const { viewer, calls, cache } = useConsole()
  useEffect(() => {
    if (!mayWatch(viewer)) return undefined
    const closed = new AbortController()
    const signal = newInboxSignal(
      {
        url: `${viewer.issuer.replace(/^http/, 'ws')}/trpc`,
        path: 'approvals.watch',
        ticket: async () => (await calls.mutate<{ ticket: string }>('system.ticket')).ticket,
        clock: clientClock,
      },
      () => 'newest',
    )
    const follow = async () => {
      while (!closed.signal.aborted) {
        await signal.next()
        await untilVisible()
        if (closed.signal.aborted) return
        cache.invalidate(['approvals', 'introductions'])
        await clientClock.after(DISTANCE_MS, closed.signal)
      }
    }
    void follow()
    return () => {
      closed.abort()
      signal.close()
    }
  }, [viewer, calls, cache])
}

const untilVisible = (): Promise<void> =>
  new Promise((resolve) => {
    const onChange = () => {
      if (document.visibilityState !== 'visible') return
      document.removeEventListener('visibilitychange', onChange)
      resolve()
    }
    document.addEventListener('visibilitychange', onChange)
    onChange()
  })
