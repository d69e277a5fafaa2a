import type { WebSocket } from 'ws'
import type { Caller } from '../http/caller.js'
import type { Clock } from '../lib/clock.js'
import { BackpressureSocket } from './backpressure-socket.js'
import { type FeedDeps, FeedSubscriber } from './feed-subscriber.js'

/** Serves the feed of revocations to an authenticated caller over an open WebSocket, until the socket closes. */
export function serveFeed({ clock, ...deps }: FeedDeps & { readonly clock: Clock }, ws: WebSocket, caller: Caller): void {
  const port = new BackpressureSocket(ws, clock, () => void subscriber.resume())
  const subscriber = new FeedSubscriber(deps, port, caller)
  ws.on('message', (data, isBinary) => {
    // ws hands over a Buffer: its default binaryType is "nodebuffer".
    void subscriber.receive(new Uint8Array(data as Buffer), isBinary)
  })
  ws.on('close', () => {
    subscriber.stop()
    port.stop()
  })
  subscriber.start()
}
