import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { logOrigin } from '../credentials/checkpoint.js'
import { refuse } from '../errors.js'
import { systemClock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import { systemRandom } from '../lib/random.js'
import type { BulkReadableStorage } from '../storage/bulk.js'
import type { MongoOptions } from '../storage/mongo/open.js'
import { openSqlite } from '../storage/sqlite/open.js'
import { witnessFile } from '../trust-log/witness/file.js'
import { registryWitness } from '../trust-log/witness/remote.js'
import type { WitnessStore } from '../trust-log/witness/witness.js'
import { type Config, isUrl } from './config.js'

/** Opens the store that the configuration names. `admin` is for administrative commands over MongoDB; a SQLite file is always exclusive. */
export async function openStore(
  config: Config,
  log: Log,
  admin: Pick<MongoOptions, 'isExclusive' | 'isLongRunning'> = {},
): Promise<BulkReadableStorage> {
  const clock = systemClock
  const { warn } = log
  if (config.store !== undefined) {
    // Imported only here, so that a registry over SQLite does not load the MongoDB driver.
    const { openMongo } = await import('../storage/mongo/open.js')
    return openMongo({ url: config.store, clock, instance: systemRandom.token(8), ...admin, warn })
  }
  const file = storePath(config)
  return openSqlite({
    file,
    clock,
    reserve: join(config.dataDirectory, 'credence.reserve'),
    onFailure: (error) => log.error('the store cannot be written: the disk may be full or read-only', error, { file }),
    onDamage: (text) => warn(`${text}; it is left out. credence admin check says what to do`, { file }),
    onRecovery: () => log.info('the store can be written again', { file }),
    onReserve: (isKept) =>
      isKept
        ? log.info('the disk has a reserve for revocations', { file })
        : log.warn('the disk is full: the reserve was given up, so that revocations still succeed', { file }),
  })
}

/** For commands on an existing store: opening a missing file would create an empty store. `hint` is a further thing to do. */
export function requireStoreFile(config: Config, hint = ''): void {
  const file = storePath(config)
  if (config.store === undefined && !existsSync(file))
    refuse(
      'unavailable',
      `the store ${file} does not exist: name the data directory of the registry (--data) or its database (--store)${hint}`,
    )
}

/** The SQLite file in the data directory. */
export const storePath = ({ dataDirectory }: Pick<Config, 'dataDirectory'>): string => join(dataDirectory, 'credence.db')

/**
 * The configured issuer. Default: the URL of the address that the server listens on; in development mode with the default host, `localhost`,
 * because passkeys need a host name.
 */
export const issuerOf = ({ issuer, dev, host, port }: Pick<Config, 'issuer' | 'dev' | 'host' | 'port'>): string =>
  issuer ?? urlAt(isOnLocalhost({ dev, host }) ? 'localhost' : host, port)

/** True if the server listens on both loopback addresses, because a browser may take either for `localhost`. */
export const isOnLocalhost = ({ dev, host }: Pick<Config, 'dev' | 'host'>): boolean => dev && host === '127.0.0.1'

/** The URL of the admin port. */
export const adminUrlOf = ({ adminHost, adminPort }: Pick<Config, 'adminHost' | 'adminPort'>): string => urlAt(adminHost, adminPort)

const urlAt = (host: string, port: number): string => `http://${host.includes(':') ? `[${host}]` : host}:${port}`

/** The configured witness: a file, or another registry. Default: `witness.json` in the data directory. Undefined with `--no-witness`. */
export function openWitness({
  dataDirectory,
  witness,
  issuer,
}: Pick<Config, 'dataDirectory' | 'witness'> & { issuer: string }): WitnessStore | undefined {
  if (witness === false) return undefined
  const file = witnessFile(join(dataDirectory, 'witness.json'))
  if (witness === undefined) return file
  if (!isUrl(witness)) return witnessFile(witness)
  const pendingHeadFile = join(dataDirectory, 'restored.json')
  return registryWitness({ witness, log: logOrigin(issuer), pendingHeadFile, fallback: file, clock: systemClock })
}
