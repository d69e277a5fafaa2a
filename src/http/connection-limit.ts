import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Of one instance, beside its WebSockets. */
export const MAX_CONNECTIONS = 4096

export interface ConnectionLimit {
  /** Its connection is not closed for another one before the work has ended. */
  work<T>(socket: Socket, run: () => Promise<T>): Promise<T>
  /** Closes those that have sent nothing yet: node takes them for busy. */
  closeUnused(): void
}

/**
 * Past `max` connections the one is closed on which nothing has been worked on for longest: one without requests, or with one that does not
 * come to its end. So a newcomer is always let in, and whoever waits for an answer gets it.
 */
export function newConnectionLimit(server: Server, max = MAX_CONNECTIONS): ConnectionLimit {
  const open = new Set<Socket>()
  // In the order in which they fell quiet.
  const quiet = new Set<Socket>()
  const leave = (socket: Socket) => {
    open.delete(socket)
    quiet.delete(socket)
  }
  server.on('connection', (socket: Socket) => {
    // Each request that is pipelined on it listens for its end.
    socket.setMaxListeners(0)
    open.add(socket)
    quiet.add(socket)
    socket.once('close', () => leave(socket))
    const [oldest] = quiet
    if (open.size > max) oldest?.destroy()
  })
  // It is a WebSocket from now on, or closed: transport/ws has its own limits.
  server.on('upgrade', ({ socket }) => leave(socket))
  return {
    work: async (socket, run) => {
      quiet.delete(socket)
      try {
        return await run()
      } finally {
        if (open.has(socket)) quiet.add(socket)
      }
    },
    closeUnused: () => {
      for (const socket of quiet) if (socket.bytesRead === 0) socket.destroy()
    },
  }
}
