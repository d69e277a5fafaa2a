// A WebSocket with backpressure. A sender asks `canSend` before each batch. Once more than MAX_BUFFERED_BYTES wait in the send buffer,
// the socket is paused: `canSend` is false until the buffer has drained to half of that, and then `onDrained` is called once. A socket that
// stays paused for 30 s is closed with code 4408. The buffer can exceed its limit by one batch, because the limit is checked before each batch.
import type { Clock } from '../lib/clock.js'
import { CLOSE_CODES } from '../protocol/log/feed.js'
import type { FeedPort } from './feed-subscriber.js'

/** The part of a WebSocket of `ws` that is needed to write to it. */
export interface WritableSocket {
  readonly bufferedAmount: number
  readonly readyState: number
  readonly OPEN: number
  send(frame: Uint8Array, options: { readonly binary: boolean }, onSent?: () => void): void
  close(code: number, reason?: string): void
}

export const MAX_BUFFERED_BYTES = 262_144
const RESUME_BYTES = MAX_BUFFERED_BYTES / 2
const MAX_PAUSED_MS = 30_000
const TEXT = { binary: false }

export class BackpressureSocket implements FeedPort {
  readonly #ws: WritableSocket
  readonly #clock: Clock
  readonly #onDrained: () => void
  readonly #onSent = () => this.#resumeIfDrained()
  /** Defined while the socket is paused; aborting it cancels the 30 s timer. */
  #paused: AbortController | undefined

  constructor(ws: WritableSocket, clock: Clock, onDrained: () => void) {
    this.#ws = ws
    this.#clock = clock
    this.#onDrained = onDrained
  }

  send(frame: Uint8Array): void {
    // Only a paused socket needs the callback, which makes a send slower. The last frame before a pause leaves more than MAX_BUFFERED_BYTES in
    // the buffer, so it always has one.
    const leavesMuch = this.#ws.bufferedAmount + frame.length > RESUME_BYTES
    this.#ws.send(frame, TEXT, leavesMuch ? this.#onSent : undefined)
  }

  close(code: number, reason?: string): void {
    this.#ws.close(code, reason)
  }

  canSend(): boolean {
    if (this.#ws.readyState !== this.#ws.OPEN) return false
    if (this.#ws.bufferedAmount <= MAX_BUFFERED_BYTES) return true
    if (this.#paused === undefined) this.#pause()
    return false
  }

  /** Cancels the timer of a paused socket. To be called when the socket has closed. */
  stop(): void {
    this.#paused?.abort()
  }

  #pause(): void {
    const paused = new AbortController()
    this.#paused = paused
    void this.#clock.after(MAX_PAUSED_MS, paused.signal).then(() => {
      if (!paused.signal.aborted) this.close(CLOSE_CODES.slow_reader, 'the reader is too slow')
    })
  }

  #resumeIfDrained(): void {
    if (this.#paused === undefined || this.#ws.bufferedAmount > RESUME_BYTES) return
    this.#paused.abort()
    this.#paused = undefined
    this.#onDrained()
  }
}
