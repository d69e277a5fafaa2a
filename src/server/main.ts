// The registry as one process runs it: over a file or MongoDB, with the machine's clock and randomness, logs on standard error.
import { createServer } from 'node:net'
import { systemClock } from '../lib/clock.js'
import { systemRandom } from '../lib/random.js'
import type { Config } from './config.js'
import { newPinoLog } from './logger.js'
import { issuerOf, openStore, witnessOf } from './open-store.js'
import { startServer } from './server.js'

export interface Registry {
  readonly issuer: string
  readonly adminUrl: string
  readonly firstCode: string | undefined
  /** Not ready; a grace, in which balancers notice; then what is under way is finished. */
  close(): Promise<void>
}

/** The registry as `credence serve` runs it. */
export async function serve(config: Config): Promise<Registry> {
  const log = newPinoLog(config.logLevel)
  const storage = await openStore(config, log)
  try {
    const port = config.port === 0 ? await freePort(config.host) : config.port
    const issuer = issuerOf({ ...config, port })
    const { dev, host, adminPort, origins, trustedProxies, witnessFor } = config
    const witness = witnessOf({ ...config, issuer })
    const server = await startServer({
      storage,
      clock: systemClock,
      random: systemRandom,
      log,
      issuer,
      dev,
      host,
      port,
      adminPort,
      origins,
      trustedProxies,
      witness,
      witnessFor,
    })
    log.info('the registry serves', { issuer, port: server.port, dev })
    return {
      issuer,
      adminUrl: `http://127.0.0.1:${server.adminPort}`,
      firstCode: server.firstCode,
      close: async () => {
        server.leave()
        await systemClock.after((config.graceSeconds ?? graceOf(config)) * 1000)
        const closed = server.close()
        await inSeconds(config.drainSeconds, closed)
        server.cut()
        await inSeconds(CUT_SECONDS, closed)
        await storage.close()
        log.info('the registry has closed')
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** Where one instance has the store alone there is nobody to go to. */
const graceOf = ({ store }: Pick<Config, 'store'>): number => (store === undefined ? 0 : 5)
/** For what goes on behind the answers (audit, keys) once no caller is there. */
const CUT_SECONDS = 2

/** Requests under way are waited for, but not for ever. */
async function inSeconds(seconds: number, work: Promise<void>): Promise<void> {
  const over = new AbortController()
  await Promise.race([work, systemClock.after(seconds * 1000, over.signal)])
  over.abort()
}

/** A port for an issuer that is named before it listens (development, tests). */
async function freePort(host: string): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, () => resolve()))
  const address = server.address()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return typeof address === 'object' && address ? address.port : 0
}
