import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { printable } from '../lib/io/printable.js'
import { listen } from './listen.js'

interface HealthServerOptions {
  readonly host: string
  readonly port: number
  /** The reason why the instance cannot serve requests at the moment; undefined if it can. */
  readonly whyNotReady: () => Promise<string | undefined>
  /** Lines that `/readyz` adds while the instance is ready. */
  readonly warnings: () => readonly string[]
  /** The reason why the process should be restarted; undefined if it need not be. */
  readonly whyNotAlive: () => string | undefined
  readonly onBug: (error: unknown) => void
  /** The metrics at `/metrics`. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
}

/**
 * Starts the endpoints for operators on a listener of their own, so that they are not public: `/livez` succeeds while the process need not be restarted,
 * `/readyz` while the instance can serve requests. `/metrics` is for Prometheus.
 */
export async function startHealthServer({
  host,
  port,
  whyNotReady,
  warnings,
  whyNotAlive,
  onBug,
  metrics,
}: HealthServerOptions): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      onBug(error)
      response.destroy()
    })
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const respond = (status: number, text: string, contentType = 'text/plain') => {
      response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(`${text}\n`)
    }
    if (request.url === '/metrics') return respond(200, await metrics.text(), metrics.contentType)
    if (request.url !== '/livez' && request.url !== '/readyz') return respond(404, 'not found')
    const isReadyz = request.url === '/readyz'
    const whyNot = isReadyz ? await whyNotReady() : whyNotAlive()
    if (whyNot !== undefined) return respond(503, `${isReadyz ? 'not ready' : 'not alive'}: ${whyNot}`)
    respond(200, ['ok', ...(isReadyz ? warnings() : []).map((text) => `warning: ${printable(text)}`)].join('\n'))
  }
  return {
    port: await listen(server, host, port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
