import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { listening } from './listen.js'

export interface AdminOptions {
  readonly host: string
  readonly port: number
  /** Why requests that need standing cannot be answered now; undefined where they can. */
  readonly whyNotReady: () => Promise<string | undefined>
}

/** Health on a listener of its own, loopback by default: `/livez` while the process runs, `/readyz` while it can answer. */
export async function startAdmin({ host, port, whyNotReady }: AdminOptions): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, text: string) =>
      response.writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' }).end(`${text}\n`)
    if (request.url !== '/livez' && request.url !== '/readyz') return answer(404, 'not found')
    const whyNot = request.url === '/readyz' ? await whyNotReady() : undefined
    answer(whyNot === undefined ? 200 : 503, whyNot === undefined ? 'ok' : `not ready: ${whyNot}`)
  })
  const listens = new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve()))
  await listening(host, port, listens)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
