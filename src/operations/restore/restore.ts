// `credence admin restore`: makes a store that was put back from a backup one that may be served again.
import { existsSync } from 'node:fs'
import { refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { type Log, silentLog } from '../../lib/log.js'
import { systemRandom } from '../../lib/random.js'
import type { Config } from '../../server/config.js'
import { issuerOf, openStore, storePath, witnessOf } from '../../server/open-store.js'
import { mirrorFile } from '../../trust-log/recovery/mirror-file.js'
import { type Restored, restoreLog } from '../../trust-log/recovery/restore.js'
import { reapplyRevocations } from './reapply-revocations.js'
import { reissueKeyEntries } from './reissue-key-entries.js'

/** No registry may run over the store; the backup must be in its place already. */
export async function restore(
  config: Config,
  mirror: string | undefined,
  { mayHold = false, log = silentLog }: { readonly mayHold?: boolean; readonly log?: Log } = {},
): Promise<Restored> {
  const file = storePath(config)
  if (config.store === undefined && !existsSync(file)) refuse('unavailable', `${file} is not there: put the backup in its place first`)
  // A name that was mistyped is not the same as no mirror: then everything that lasts would be held
  if (mirror !== undefined && !existsSync(mirror)) refuse('bad_input', `${mirror} is not there: name the file of credence log mirror`)
  const entries = mirror === undefined ? [] : mirrorFile(mirror).read()
  const storage = await openStore(config, log, { isAlone: true, isPatient: true })
  try {
    return await restoreLog({
      port: storage.log,
      witness: witnessOf({ ...config, issuer: issuerOf(config) }),
      mirror: entries,
      mayHold,
      recordMerged: (merged) => reapplyRevocations(storage, merged),
      restateKeys: (standing) => reissueKeyEntries(storage, systemRandom, standing),
      clock: systemClock,
      random: systemRandom,
      log,
    })
  } finally {
    await storage.close()
  }
}
