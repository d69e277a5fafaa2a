// `credence admin restore`: makes a store that was restored from a backup ready to be served again.
//
// The log is restored by trust-log/recovery/restore.ts, whose header describes the algorithm. This file opens the store that the
// configuration names, and connects the log to the records: agents that the mirror revoked are updated, and keys are registered again in
// the new epoch.
// Cost: the log is read twice, and every document once, because a damaged backup is refused before anything is written. Limits: the backup must already be in place, and no registry may
// run on the store.
import { existsSync } from 'node:fs'
import { refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { type Log, silentLog } from '../../lib/log.js'
import { systemRandom } from '../../lib/random.js'
import type { Config } from '../../server/config.js'
import { issuerOf, openStore, openWitness, requireStoreFile } from '../../server/open-store.js'
import { mirrorFile } from '../../trust-log/recovery/mirror-file.js'
import { type RestoreResult, restoreLog } from '../../trust-log/recovery/restore.js'
import { requireSound } from '../check/require-sound.js'
import { handlesOfRecords } from './handles-of-records.js'
import { reissueKeyEntries } from './reissue-key-entries.js'
import { replayRevocations } from './replay-revocations.js'

/** Restores the store that `config` names. `mirror` names a file that `credence log mirror` wrote. */
export async function restoreStore(
  config: Config,
  mirror: string | undefined,
  {
    mayQuarantine = false,
    isCurrent = false,
    isForced = false,
    log = silentLog,
  }: { readonly mayQuarantine?: boolean; readonly isCurrent?: boolean; readonly isForced?: boolean; readonly log?: Log } = {},
): Promise<RestoreResult> {
  requireStoreFile(config, isCurrent ? '' : ', or put the backup in place first')
  // A mistyped name must not be treated as "no mirror", which would make the restore incomplete.
  if (mirror !== undefined && !existsSync(mirror))
    refuse('bad_input', `the mirror ${mirror} does not exist; name the file that credence log mirror wrote`)
  const entries = mirror === undefined ? [] : mirrorFile(mirror).read()
  const storage = await openStore(config, log, { isExclusive: true, isLongRunning: true })
  try {
    if (!isCurrent) await requireSound(storage)
    return await restoreLog({
      port: storage.log,
      witness: openWitness({ ...config, issuer: issuerOf(config) }),
      mirror: entries,
      mayQuarantine,
      isCurrent,
      replayRevocations: (replayed) => replayRevocations(storage, replayed),
      isForced,
      handlesOfRecords: () => handlesOfRecords(storage),
      reissueKeyEntries: (standing) => reissueKeyEntries(storage, systemRandom, standing),
      clock: systemClock,
      random: systemRandom,
      log,
    })
  } finally {
    await storage.close()
  }
}
