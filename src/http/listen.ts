import { once } from 'node:events'
import type { Server } from 'node:http'
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
