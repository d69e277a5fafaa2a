import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type HttpOptions, startHttp } from '../../src/http/server.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'

/** More than the buffers of a connection hold. */
export const LARGE_BYTES = 33_554_432
const LARGE = Buffer.alloc(LARGE_BYTES, 'a')

/** A server whose `/held` answers when it is let go, as where the store lets all wait, and whose `/quick` answers at once. */
export async function heldServer(options: Partial<HttpOptions> = {}) {
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const seen = { begun: 0, quick: 0, large: 0, working: 0, most: 0, closed: 0 }
  const watchers = new Set<() => void>()
  const look = () => {
    for (const watcher of watchers) watcher()
  }
  const http = await startHttp({
    issuer: 'http://127.0.0.1',
    host: '127.0.0.1',
    port: 0,
    routes: [
      {
        method: 'GET',
        path: '/held',
        endpoint: async () => {
          seen.begun++
          seen.most = Math.max(seen.most, ++seen.working)
          look()
          await held
          seen.working--
          return { status: 200, body: 'held' }
        },
      },
      { method: 'GET', path: '/quick', endpoint: async () => ({ status: 200, body: String(++seen.quick) }) },
      {
        method: 'GET',
        path: '/large',
        endpoint: async () => {
          seen.large++
          look()
          return { status: 200, body: LARGE }
        },
      },
      { method: 'POST', path: '/body', endpoint: async ({ body }) => ({ status: 200, body: String(body.length) }) },
      { method: 'POST', path: '/oauth/body', endpoint: async ({ body }) => ({ status: 200, body: String(body.length) }) },
    ],
    trustedProxies: [],
    random: systemRandom,
    log: silentLog,
    ...options,
  })
  http.server.on('connection', (socket: Socket) =>
    socket.on('close', () => {
      seen.closed++
      look()
    }),
  )
  const sockets: Socket[] = []
  return {
    http,
    seen,
    release,
    /** Resolves once the server has seen so much. */
    until: (is: (what: typeof seen) => boolean) =>
      new Promise<void>((resolve) => {
        const watcher = () => {
          if (!is(seen)) return
          watchers.delete(watcher)
          resolve()
        }
        watchers.add(watcher)
        watcher()
      }),
    /** A connection of its own that has sent this. */
    send: async (text: string) => {
      const socket = connect(http.port, '127.0.0.1')
      socket.on('error', () => undefined)
      sockets.push(socket)
      await once(socket, 'connect')
      await new Promise<void>((resolve) => socket.write(text, () => resolve()))
      return socket
    },
    fetch: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${http.port}${path}`, init),
    [Symbol.asyncDispose]: async () => {
      release()
      for (const socket of sockets) socket.destroy()
      await http.close()
    },
  }
}

export const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`

/** The status of the next answer on a connection. */
export const statusOn = async (socket: Socket): Promise<string> => {
  const [data] = await once(socket, 'data')
  return String(data).split(' ')[1] ?? ''
}
