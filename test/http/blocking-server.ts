import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { type HttpOptions, startHttp } from '../../src/http/server.js'
import { silentLog } from '../../src/lib/log.js'
import { systemRandom } from '../../src/lib/random.js'

/** Larger than the send and receive buffers of a connection. */
export const LARGE_BYTES = 33_554_432
const LARGE = Buffer.alloc(LARGE_BYTES, 'a')

/** A server whose `/blocked` responds after `release()`, as if the store were slow, and whose `/quick` responds at once. */
export async function blockingServer(options: Partial<HttpOptions> = {}) {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const counts = { started: 0, quick: 0, large: 0, working: 0, peak: 0, closed: 0 }
  const watchers = new Set<() => void>()
  const notify = () => {
    for (const watcher of watchers) watcher()
  }
  const http = await startHttp({
    issuer: 'http://127.0.0.1',
    host: '127.0.0.1',
    port: 0,
    routes: [
      {
        method: 'GET',
        path: '/blocked',
        endpoint: async () => {
          counts.started++
          counts.peak = Math.max(counts.peak, ++counts.working)
          notify()
          await released
          counts.working--
          return { status: 200, body: 'blocked' }
        },
      },
      { method: 'GET', path: '/quick', endpoint: async () => ({ status: 200, body: String(++counts.quick) }) },
      {
        method: 'GET',
        path: '/large',
        endpoint: async () => {
          counts.large++
          notify()
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
      counts.closed++
      notify()
    }),
  )
  const sockets: Socket[] = []
  return {
    http,
    counts,
    release,
    /** Resolves once `condition` holds for the counts. */
    until: (condition: (current: typeof counts) => boolean) =>
      new Promise<void>((resolve) => {
        const watcher = () => {
          if (!condition(counts)) return
          watchers.delete(watcher)
          resolve()
        }
        watchers.add(watcher)
        watcher()
      }),
    /** Opens a new connection and sends `text`. */
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

/** The status of the next response on a connection. */
export const statusOn = async (socket: Socket): Promise<string> => {
  const [data] = await once(socket, 'data')
  return String(data).split(' ')[1] ?? ''
}
