import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Maximum number of HTTP connections of one instance. WebSockets have their own limits (websocket.ts). */
const MAX_CONNECTIONS = 4096

interface ConnectionLimit {
  /** Runs a request. Its connection counts as busy until the request ends, and is not closed in favour of a new one. */
  whileBusy<T>(socket: Socket, run: () => Promise<T>): Promise<T>
  /** Closes connections on which nothing was sent yet: node treats them as busy and would wait for them. */
  closeUnused(): void
}

/**
 * Past `max` connections, each new one closes the connection that has been idle longest: one without a request, or with a request that is
 * still incomplete. So a new connection is always accepted, and a caller that waits for a response gets it.
 */
export function newConnectionLimit(server: Server, max = MAX_CONNECTIONS): ConnectionLimit {
  const open = new Set<Socket>()
  // In the order in which the connections became idle
  const idle = new Set<Socket>()
  const forget = (socket: Socket) => {
    open.delete(socket)
    idle.delete(socket)
  }
  server.on('connection', (socket: Socket) => {
    // Every pipelined request adds listeners to the socket
    socket.setMaxListeners(0)
    open.add(socket)
    idle.add(socket)
    socket.once('close', () => forget(socket))
    const [idleLongest] = idle
    if (open.size > max) idleLongest?.destroy()
  })
  server.on('upgrade', ({ socket }) => forget(socket))
  return {
    whileBusy: async (socket, run) => {
      idle.delete(socket)
      try {
        return await run()
      } finally {
        if (open.has(socket)) idle.add(socket)
      }
    },
    closeUnused: () => {
      for (const socket of idle) if (socket.bytesRead === 0) socket.destroy()
    },
  }
}
