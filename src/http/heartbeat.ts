import type { WebSocket } from 'ws'
import type { Clock } from '../lib/clock.js'

export const HEARTBEAT_MS = 20_000
/** More than one, because a paused reader answers late: the limit for slow readers (30 s) closes it with its own code. */
const MAX_UNANSWERED_PINGS = 2

/**
 * Pings the peer of an open WebSocket every 20 s. A socket on which nothing arrives for two intervals is dead, although TCP has not noticed,
 * and is terminated: its close event releases everything that was registered for it.
 */
export async function keepAlive(ws: WebSocket, clock: Pick<Clock, 'after'>): Promise<void> {
  const closed = new AbortController()
  let unansweredPings = 0
  for (const event of ['pong', 'ping', 'message'])
    ws.on(event, () => {
      unansweredPings = 0
    })
  ws.on('close', () => closed.abort())
  for (;;) {
    await clock.after(HEARTBEAT_MS, closed.signal)
    if (closed.signal.aborted) return
    if (unansweredPings === MAX_UNANSWERED_PINGS) return ws.terminate()
    unansweredPings++
    ws.ping()
  }
}
