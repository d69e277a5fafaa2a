import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { listen } from './listen.js'

export interface HealthServerOptions {
  readonly host: string
  readonly port: number
  /** Why requests that need standing cannot be answered now; undefined where they can. */
  readonly whyNotReady: () => Promise<string | undefined>
}

/** Health on a listener of its own, loopback by default: `/livez` while the process runs, `/readyz` while it can answer. */
export async function startHealthServer({
  host,
  port,
  whyNotReady,
}: HealthServerOptions): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, text: string) =>
      response.writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(`${text}\n`)
    if (request.url !== '/livez' && request.url !== '/readyz') return answer(404, 'not found')
    const whyNot = request.url === '/readyz' ? await whyNotReady() : undefined
    answer(whyNot === undefined ? 200 : 503, whyNot === undefined ? 'ok' : `not ready: ${whyNot}`)
  })
  const listens = new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve()))
  await listen(host, port, listens)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
