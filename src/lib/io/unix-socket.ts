// Unix socket files: requests between two processes of one user on one machine. Windows has none.
import { once } from 'node:events'
import { chmod, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'

/** Listens on a socket file that only its owner may use. A file that a killed process left is replaced; `close` removes the file. */
export async function listenOnSocket(file: string, onConnection: (socket: Socket) => void): Promise<{ close(): Promise<void> }> {
  await rm(file, { force: true })
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // A peer that goes away is seen by `close`
    socket.on('error', () => undefined)
    onConnection(socket)
  })
  server.listen(file)
  await once(server, 'listening')
  await chmod(file, 0o600)
  return {
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Connects to a socket file. Undefined if no process listens on it. */
export async function connectToSocket(file: string): Promise<Socket | undefined> {
  const socket = connect(file)
  try {
    await once(socket, 'connect')
    socket.on('error', () => undefined)
    return socket
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')) return undefined
    throw error
  }
}
