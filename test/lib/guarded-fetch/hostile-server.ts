import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { newCertificate } from './new-certificate.js'

/** A server that a caller has made the registry connect to. */
export interface HostileServer extends AsyncDisposable {
  readonly port: number
  /** Connections so far. */
  connections(): number
  /** Resolves once every connection is closed. */
  closed(): Promise<void>
}

/** The names that the certificate of the hostile servers is for. */
export const { key, cert } = newCertificate(['agents.acme.com', 'other.acme.com'])

export async function startHostile(
  listener: RequestListener,
  { tls = true, host = '127.0.0.1', port = 0 }: { tls?: boolean; host?: string; port?: number } = {},
): Promise<HostileServer> {
  const server: Server = tls ? createTlsServer({ key, cert }, listener) : createServer(listener)
  const open = new Set<Socket>()
  let count = 0
  let wake = () => {}
  server.on('connection', (socket: Socket) => {
    count++
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      if (open.size === 0) wake()
    })
  })
  server.on('tlsClientError', () => {})
  await once(server.listen(port, host), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => count,
    closed: () =>
      new Promise((resolve) => {
        wake = resolve
        if (open.size === 0) resolve()
      }),
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
