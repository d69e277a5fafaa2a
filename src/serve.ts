// The registry as one process runs it: over a file or MongoDB, with the machine's clock and randomness, logs on standard error.
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Config, isUrl } from './config.js'
import { systemClock } from './lib/clock.js'
import type { Log } from './lib/log.js'
import { systemRandom } from './lib/random.js'
import { newPinoLog } from './pino-log.js'
import { startServer } from './server.js'
import type { ReadableStorage } from './storage/holdings.js'
import { openMongo } from './storage/mongo/open.js'
import { openSqlite } from './storage/sqlite/open.js'
import type { WitnessStore } from './trust-log/witness.js'
import { witnessFile } from './witness-file.js'
import { registryWitness } from './witness-registry.js'
import { logOf } from './witnessing.js'

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

/** For an administrator: `isAlone` is refused while any registry runs over the store, `isPatient` waits for a database as long as it takes. */
export interface AdminAccess {
  readonly isAlone?: boolean
  readonly isPatient?: boolean
}

/** The store that the configuration names. */
export function openStore(config: Config, log: Log, admin: AdminAccess = {}): Promise<ReadableStorage> {
  const clock = systemClock
  const { warn } = log
  if (config.store !== undefined) return openMongo({ url: config.store, clock, instance: systemRandom.token(8), ...admin, warn })
  const file = storePath(config)
  const onFailure = (error: unknown) => log.error('the storage cannot be written: is the disk full or read-only?', error, { file })
  return openSqlite({ file, clock, onFailure })
}

/** Where the store and its witness lie: the program that restores finds them as the server does. */
export const storePath = ({ dataDirectory }: Pick<Config, 'dataDirectory'>): string => join(dataDirectory, 'credence.db')

/** The public URL; where none is named, that of the address. */
export const issuerOf = ({ issuer, host, port }: Pick<Config, 'issuer' | 'host' | 'port'>): string =>
  issuer ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`

/** A file, or another registry. */
export function witnessOf({
  dataDirectory,
  witness,
  issuer,
}: Pick<Config, 'dataDirectory' | 'witness'> & { issuer: string }): WitnessStore {
  const file = witnessFile(join(dataDirectory, 'witness.json'))
  if (witness === undefined) return file
  if (!isUrl(witness)) return witnessFile(witness)
  const noteFile = join(dataDirectory, 'restored.json')
  return registryWitness({ witness, log: logOf(issuer), noteFile, before: file, clock: systemClock })
}

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
