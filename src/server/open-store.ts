// Where a registry's data lie: what serves it and what administers it open the same.
import { join } from 'node:path'
import { systemClock } from '../lib/clock.js'
import type { Log } from '../lib/log.js'
import { systemRandom } from '../lib/random.js'
import type { ReadableStorage } from '../storage/bulk.js'
import { openSqlite } from '../storage/sqlite/open.js'
import { witnessFile } from '../trust-log/witness/file.js'
import { registryWitness } from '../trust-log/witness/remote.js'
import { logOf } from '../trust-log/witness/serve.js'
import type { WitnessStore } from '../trust-log/witness/witness.js'
import { type Config, isUrl } from './config.js'

/** For an administrator: `isAlone` is refused while any registry runs over the store, `isPatient` waits for a database as long as it takes. */
export interface AdminAccess {
  readonly isAlone?: boolean
  readonly isPatient?: boolean
}

/** The store that the configuration names. */
export async function openStore(config: Config, log: Log, admin: AdminAccess = {}): Promise<ReadableStorage> {
  const clock = systemClock
  const { warn } = log
  if (config.store !== undefined) {
    // Whoever has a file pays nothing for the driver
    const { openMongo } = await import('../storage/mongo/open.js')
    return openMongo({ url: config.store, clock, instance: systemRandom.token(8), ...admin, warn })
  }
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
