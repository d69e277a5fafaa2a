// `credence admin restore`: makes a store that was put back from a backup one that may be served again.

import { existsSync } from 'node:fs'
import type { Config } from './config.js'
import { refuse } from './errors.js'
import { systemClock } from './lib/clock.js'
import { silentLog } from './lib/log.js'
import { systemRandom } from './lib/random.js'
import { mirrorFile } from './mirror-file.js'
import { issuerOf, storePath, witnessOf } from './serve.js'
import { openSqlite } from './storage/sqlite/open.js'
import { type Restored, restoreLog } from './trust-log/restore.js'

/** The registry must not run; its store must be there already. */
export async function restore(config: Config, mirror: string | undefined): Promise<Restored> {
  // The file in the data directory is not what such a registry serves: restoring it would only overwrite the witness.
  if (config.store !== undefined)
    refuse('unavailable', 'the store is MongoDB, and only a file can be restored: do not serve a database that was put back')
  const file = storePath(config)
  if (!existsSync(file)) refuse('unavailable', `${file} is not there: put the backup in its place first`)
  const entries = mirror === undefined ? [] : mirrorFile(mirror).read()
  const storage = await openSqlite({ file, clock: systemClock })
  try {
    return await restoreLog({
      port: storage.log,
      witness: witnessOf({ ...config, issuer: issuerOf(config) }),
      mirror: entries,
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    })
  } finally {
    await storage.close()
  }
}
