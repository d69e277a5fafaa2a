// One registry with two HTTP servers that differ only in the tRPC adapter: that of over-http.ts, and the stock one without our limits.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { startHttp } from '../../dist/http/server.js'
import { trpcOverHttp } from '../../dist/http/trpc/over-http.js'
import { ensureFirstCode } from '../../dist/identity/members/first-code.js'
import { systemClock } from '../../dist/lib/clock.js'
import { silentLog } from '../../dist/lib/log.js'
import { systemRandom } from '../../dist/lib/random.js'
import { oauthEndpoints } from '../../dist/oauth/endpoints.js'
import { newRouter } from '../../dist/server/router.js'
import { startServices } from '../../dist/server/services.js'
import { jwksEndpoint } from '../../dist/signing-keys/jwks-endpoint.js'
import { openSqlite } from '../../dist/storage/sqlite/open.js'
import { freePort } from '../../examples/demo/stage.js'
import { serveCalls } from '../lib/child.js'
import { newFolder } from '../lib/open.js'

const folder = newFolder()
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const port = await freePort()
const issuer = `http://127.0.0.1:${port}`
const base = { clock: systemClock, random: systemRandom, log: silentLog, issuer }
const storage = await openSqlite({ file: join(folder, 'store.db'), clock: systemClock })
const services = await startServices({ ...base, storage, dev: true, limits: 'off' })
const router = newRouter(services)

let lastCaller
/** A token without a proof stands for the caller that was authenticated last, so that calls can be measured without their authentication. */
const createContext = (request) => ({
  requestId: request.requestId,
  address: request.address,
  findCaller: async () => {
    const { authorization, dpop } = request.headers
    if (dpop !== undefined) lastCaller = services.authenticate(request)
    return authorization === undefined ? undefined : lastCaller
  },
  revocationSignal: services.revocationSignals.signalFor,
  onRefusal: async () => {},
  requireCreationRate: () => {},
  requireStillStanding: ({ barrier, dependencies }) => services.trustLog.requireStillStanding(barrier, dependencies.handles),
  onBug: (path, error) => console.error(path, error),
})

const stock = {
  maxBodyBytes: () => 65_536,
  serve: async (request) => {
    const { method, path, query, body } = request
    const response = await fetchRequestHandler({
      endpoint: '/trpc',
      router,
      req: new Request(`${issuer}${path}?${query}`, {
        method,
        // One per request, as the adapter for node:http has it. The given one is that of the connection: Request would add listeners to it
        signal: new AbortController().signal,
        headers: { 'content-type': 'application/json' },
        ...(method === 'POST' && { body }),
      }),
      createContext: () => createContext(request),
    })
    return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() }
  },
}

const options = { ...base, host: '127.0.0.1', routes: [...oauthEndpoints(services), jwksEndpoint(services)], trustedProxies: [] }
await startHttp({ ...options, port, trpc: trpcOverHttp({ router, createContext }) })
const { port: stockPort } = await startHttp({ ...options, port: 0, trpc: stock })
serveCalls({ issuer, firstCode: await ensureFirstCode(services), stockOrigin: `http://127.0.0.1:${stockPort}` })
