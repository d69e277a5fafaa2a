// A socket whose reader sets the pace. Past MAX_BUFFERED_BYTES it is parked: whoever sends asks `isFull` first and stops there; once the socket
// has drained it is told to go on. A parked one is closed after 30 s.
import type { WebSocket } from 'ws'
import type { Clock } from '../lib/clock.js'
import { CLOSE_CODES } from '../protocol/log/feed.js'

export interface BackpressureSocket {
  send(frame: string | Uint8Array): void
  /** Nothing more may be sent now; `onDrained` follows. */
  isFull(): boolean
  /** The socket has closed. */
  stop(): void
}

export const MAX_BUFFERED_BYTES = 262_144
const PARKED_MS = 30_000

export function newBackpressureSocket(ws: WebSocket, clock: Clock, onDrained: () => void): BackpressureSocket {
  let parked: AbortController | undefined
  const onSent = () => {
    if (parked === undefined || ws.bufferedAmount > MAX_BUFFERED_BYTES / 2) return
    parked.abort()
    parked = undefined
    onDrained()
  }
  const park = () => {
    const parking = new AbortController()
    parked = parking
    void clock.after(PARKED_MS, parking.signal).then(() => {
      if (!parking.signal.aborted) ws.close(CLOSE_CODES.slow_reader, 'the reader is too slow')
    })
  }
  return {
    // Called back as the socket drains
    send: (frame) => ws.send(frame, { binary: false }, onSent),
    isFull: () => {
      if (ws.bufferedAmount <= MAX_BUFFERED_BYTES) return false
      if (parked === undefined) park()
      return true
    },
    stop: () => parked?.abort(),
  }
}
