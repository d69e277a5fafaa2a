import type { Server } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Maximum number of HTTP connections of one instance. WebSockets have their own limits (websocket.ts). */
const MAX_CONNECTIONS = 4096

export interface ConnectionLimit {
  /** Runs a request. Its connection counts as busy until the request ends, and is not closed in favour of a new one. */
  whileBusy<T>(socket: Duplex, run: () => Promise<T>): Promise<T>
  /** True while a request of the connection runs. */
  isBusy(socket: Duplex): boolean
  /** Counts the connection no longer, because it has become a WebSocket. */
  release(socket: Duplex): void
  /** Closes connections on which nothing was sent yet: node treats them as busy and would wait for them. */
  closeUnused(): void
}

/**
 * Past `max` connections, each new one closes the connection that has been idle longest: one without a request, or with a request that is
 * still incomplete. So a new connection is always accepted, and a caller that waits for a response gets it.
 */
export function newConnectionLimit(server: Server, max = MAX_CONNECTIONS): ConnectionLimit {
  const open = new Set<Duplex>()
  // In the order in which the connections became idle
  const idle = new Set<Duplex>()
  /** The number of requests that run on a connection: more than one if they are pipelined. */
  const running = new WeakMap<Duplex, number>()
  const isBusy = (socket: Duplex): boolean => (running.get(socket) ?? 0) > 0
  const release = (socket: Duplex) => {
    open.delete(socket)
    idle.delete(socket)
  }
  server.on('connection', (socket: Socket) => {
    // Every pipelined request adds listeners to the socket
    socket.setMaxListeners(0)
    open.add(socket)
    idle.add(socket)
    socket.once('close', () => release(socket))
    const [idleLongest] = idle
    if (open.size > max) idleLongest?.destroy()
  })
  return {
    whileBusy: async (socket, run) => {
      idle.delete(socket)
      running.set(socket, (running.get(socket) ?? 0) + 1)
      try {
        return await run()
      } finally {
        running.set(socket, (running.get(socket) ?? 1) - 1)
        if (open.has(socket) && !isBusy(socket)) idle.add(socket)
      }
    },
    isBusy,
    release,
    closeUnused: () => {
      for (const socket of idle) if (socket instanceof Socket && socket.bytesRead === 0) socket.destroy()
    },
  }
}
