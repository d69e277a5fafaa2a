import { createServer } from 'node:net'
import { systemClock } from '../lib/clock.js'
import { systemRandom } from '../lib/random.js'
import { answerBackups } from './backup-socket.js'
import type { Config } from './config.js'
import { newPinoLog } from './logger.js'
import { adminUrlOf, isOnLocalhost, issuerOf, openStore, openWitness } from './open-store.js'
import { startServer } from './server.js'

export interface Registry {
  readonly issuer: string
  readonly adminUrl: string
  readonly firstCode: string | undefined
  /**
   * Shuts down: reports "not ready" for `graceSeconds`, so that load balancers notice; then waits up to `drainSeconds` for requests under way;
   * then drops the remaining connections.
   */
  close(): Promise<void>
}

/** Runs a registry in this process, as `credence serve` does. Logs to standard error. */
export async function serve(config: Config): Promise<Registry> {
  const log = newPinoLog(config.logLevel)
  const storage = await openStore(config, log)
  const { holdFile } = storage
  let backups: Awaited<ReturnType<typeof answerBackups>> | undefined
  try {
    const port = config.port === 0 ? await freePort(config.host) : config.port
    const issuer = issuerOf({ ...config, port })
    const {
      dev,
      acceptClock,
      host,
      adminPort,
      adminHost,
      origins,
      trustedProxies,
      witnessFor,
      cosigners,
      cosignFor,
      limits,
      outgoing,
      bearerTokens,
      freshness,
      registration,
    } = config
    const witness = openWitness({ ...config, issuer })
    const server = await startServer({
      storage,
      clock: systemClock,
      random: systemRandom,
      log,
      issuer,
      dev,
      ...(acceptClock && !dev && { clockMode: 'accepted' as const }),
      host,
      ...(isOnLocalhost(config) && { alsoHost: '::1' }),
      port,
      adminPort,
      adminHost,
      origins,
      trustedProxies,
      limits,
      ...(outgoing && { outgoing }),
      ...(bearerTokens && { bearerTokens: bearerTokens === 'on' }),
      freshness,
      registration,
      ...(witness && { witness }),
      witnessFor,
      cosigners,
      cosignFor,
    })
    backups = holdFile && (await answerBackups({ dataDirectory: config.dataDirectory, holdFile, log }))
    log.info('the registry is listening', { issuer, port: server.port, dev })
    return {
      issuer,
      adminUrl: adminUrlOf({ adminHost, adminPort: server.adminPort }),
      firstCode: server.firstCode,
      close: async () => {
        server.drain()
        await systemClock.after((config.graceSeconds ?? defaultGraceSeconds(config)) * 1000)
        const closed = server.close()
        await waitAtMost(config.drainSeconds, closed)
        server.terminate()
        await waitAtMost(TERMINATE_SECONDS, closed)
        await backups?.close()
        await storage.close()
        log.info('the registry is closed')
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** Without a shared store there is no other instance to which a load balancer could send requests. */
const defaultGraceSeconds = ({ store }: Pick<Config, 'store'>): number => (store === undefined ? 0 : 5)
/** Time for background work (audit, signing keys) to finish after the last connection was dropped. */
const TERMINATE_SECONDS = 2

async function waitAtMost(seconds: number, work: Promise<void>): Promise<void> {
  const timer = new AbortController()
  await Promise.race([work, systemClock.after(seconds * 1000, timer.signal)])
  timer.abort()
}

/** The default issuer contains the port, so port 0 is resolved before the server listens (development, tests). */
async function freePort(host: string): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, () => resolve()))
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return typeof address === 'object' && address ? address.port : 0
}
