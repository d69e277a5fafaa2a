import { Agent, createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface Front extends AsyncDisposable {
  /** The address that clients use as the issuer. */
  readonly origin: string
  /** Ports between which requests and sockets alternate. */
  route(ports: readonly number[]): void
  /** Closes every upgraded socket. */
  cutSockets(): void
}

/** One address in front of several servers: each request and each new WebSocket goes to the next server. */
export async function openFront(): Promise<Front> {
  let ports: readonly number[] = []
  let routed = 0
  const upgraded = new Set<Socket>()
  const next = () => ports[routed++ % ports.length] ?? 0
  // A connection for each request would cost more than the request
  const agent = new Agent({ keepAlive: true })
  const server = createServer((incoming, outgoing) => {
    const onward = httpRequest(
      { host: '127.0.0.1', port: next(), method: incoming.method, path: incoming.url, headers: incoming.headers, agent },
      (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders)
        response.pipe(outgoing)
      },
    )
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    const onward = connect(next(), '127.0.0.1', () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`]
      for (let i = 0; i < incoming.rawHeaders.length; i += 2) lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`)
      onward.write(`${lines.join('\r\n')}\r\n\r\n`)
      onward.write(head)
      socket.pipe(onward).pipe(socket)
    })
    upgraded.add(socket)
    const drop = () => {
      upgraded.delete(socket)
      socket.destroy()
      onward.destroy()
    }
    for (const end of [socket, onward]) end.on('error', drop).on('close', drop)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    route: (to) => {
      ports = to
    },
    cutSockets: () => {
      for (const socket of upgraded) socket.destroy()
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of upgraded) socket.destroy()
      agent.destroy()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
