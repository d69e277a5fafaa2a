// A WebSocket server that serves the feed of a hub without authentication, so that a benchmark can open thousands of sockets.
import { setMaxListeners } from 'node:events'
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { systemClock } from '../../dist/lib/clock.js'
import { serveFeed } from '../../dist/revocations/feed-socket.js'

export async function startFeedServer(hub) {
  const forever = new AbortController().signal
  setMaxListeners(0, forever)
  const onBug = (error) => console.error(error)
  const caller = { id: 'bench', scopes: ['revocations:read'], dependencies: { handles: [], expiresAt: systemClock.now() + 36_000 } }
  const server = createServer()
  const sockets = new WebSocketServer({ server, perMessageDeflate: false })
  sockets.on('connection', (ws) =>
    serveFeed(
      { hub, clock: systemClock, issuer: 'bench', revocationSignal: () => forever, authenticateToken: async () => caller, onBug },
      ws,
      caller,
    ),
  )
  await new Promise((resolve) => server.listen(0, '127.0.0.1', 4096, resolve))
  return { port: server.address().port, sockets }
}
