import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:net'
import { refuse } from '../errors.js'

/** Starts a listener and returns its port. A failure becomes a refusal with the address and the cause, because it is a configuration mistake. */
export async function listen(server: Server, host: string, port: number): Promise<number> {
  try {
    await once(server.listen(port, host), 'listening')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    const cause = code === 'EADDRINUSE' ? 'the port is in use' : code
    refuse('unavailable', `cannot listen on ${host}:${port}: ${cause}`)
  }
  const address = server.address()
  return typeof address === 'object' && address ? address.port : port
}

/**
 * Accepts connections to a further address for the server. A machine without this address (IPv6 may be off) is no failure. Returns a function that
 * accepts no more.
 */
export async function alsoListen(server: Server, host: string, port: number): Promise<() => void> {
  // node:http serves sockets that are handed to it by this event
  const further = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => server.emit('connection', socket))
  try {
    await once(further.listen(port, host), 'listening')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      refuse('unavailable', `cannot listen on [${host}]:${port}: the port is in use`)
  }
  return () => further.close()
}
