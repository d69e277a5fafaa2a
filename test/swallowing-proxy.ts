import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface SwallowingProxy extends AsyncDisposable {
  readonly port: number
  readonly origin: string
  /** Number of connections that were accepted. */
  readonly connections: number
  /** From now on the bytes of all open connections are lost in both directions, and no connection closes. New connections work. */
  swallow(): void
  /** From now on no byte passes, and no connection closes. New connections are accepted. */
  freeze(): void
  /** Every byte that waited passes. */
  thaw(): void
}

/** A TCP proxy whose connections can die without a sign, as behind a router that forgets them, or stand still, as those of a suspended server. */
export async function swallowingProxy(target: number): Promise<SwallowingProxy> {
  const open = new Set<Socket>()
  let generation = 0
  let isFrozen = false
  let connections = 0
  const server = createServer((socket) => {
    connections++
    const born = generation
    const onward = connect(target, '127.0.0.1')
    const pairs = [
      [socket, onward],
      [onward, socket],
    ] as const
    for (const [from, to] of pairs) {
      open.add(from)
      from.on('data', (bytes) => born === generation && to.write(bytes))
      if (isFrozen) from.pause()
      from.on('error', () => undefined)
      from.on('close', () => {
        open.delete(from)
        if (born === generation) to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    get connections() {
      return connections
    },
    swallow: () => {
      generation++
    },
    freeze: () => {
      isFrozen = true
      for (const socket of open) socket.pause()
    },
    thaw: () => {
      isFrozen = false
      for (const socket of open) socket.resume()
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** A server that accepts connections and never sends a byte. */
export async function silentServer(): Promise<AsyncDisposable & { readonly port: number; readonly connections: number }> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return open.size
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
