import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface AdminOptions {
  readonly host: string
  readonly port: number
  /** Whether requests that need standing can be answered now; a rejection is a no. */
  readonly isReady: () => Promise<boolean>
}

/** Health on a listener of its own, loopback by default: `/livez` while the process runs, `/readyz` while it can answer, and is not going away. */
export async function startAdmin({ host, port, isReady }: AdminOptions): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const status = request.url === '/livez' ? 200 : request.url === '/readyz' ? ((await isReady().catch(() => false)) ? 200 : 503) : 404
    response
      .writeHead(status, { 'content-type': 'text/plain', 'cache-control': 'no-store' })
      .end(status === 200 ? 'ok\n' : status === 503 ? 'not ready\n' : 'not found\n')
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve()))
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
