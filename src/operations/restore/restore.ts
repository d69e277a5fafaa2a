// `credence admin restore`: makes a store that was restored from a backup ready to be served again.
//
// The log is restored by trust-log/recovery/restore.ts, whose header describes the algorithm. This file opens the store that the
// configuration names, and connects the log to the records: agents that the mirror revoked are updated, and keys are registered again in
// the new epoch.
// Cost: the log is read twice, and every document once, because a damaged backup is refused before anything is written. Limits: the backup must already be in place, and no registry may
// run on the store.
import { existsSync } from 'node:fs'
import { z } from 'zod'
import { parseCheckpoint, verifyCheckpoint } from '../../credentials/checkpoint.js'
import type { VerificationKey } from '../../credentials/jose/jwk.js'
import { refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { type Log, silentLog } from '../../lib/log.js'
import { systemRandom } from '../../lib/random.js'
import type { Config } from '../../server/config.js'
import { issuerOf, openStore, openWitness, requireStoreFile } from '../../server/open-store.js'
import { algOf, type KeyUse, SIGNING_KEYS, SigningKey } from '../../signing-keys/key-store.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import { mirrorFile } from '../../trust-log/recovery/mirror-file.js'
import type { MirrorCheckpoint } from '../../trust-log/recovery/mirror-proof.js'
import { type RestoreResult, restoreLog } from '../../trust-log/recovery/restore.js'
import { requireSound } from '../check/require-sound.js'
import { documentsOf } from '../documents.js'
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
  const note = mirror === undefined ? undefined : await mirrorFile(mirror).readCheckpoint()
  const storage = await openStore(config, log, { isExclusive: true, isLongRunning: true })
  try {
    if (!isCurrent) await requireSound(storage)
    return await restoreLog({
      port: storage.log,
      witness: openWitness({ ...config, issuer: issuerOf(config) }),
      mirror: entries,
      mirrorCheckpoint: note === undefined ? undefined : await checkpointIn(storage, note),
      mayQuarantine,
      isCurrent,
      replayRevocations: (replayed, compromises) => replayRevocations(storage, replayed, compromises),
      isForced,
      handlesOfRecords: () => handlesOfRecords(storage),
      reissueKeyEntries: (reissued) => reissueKeyEntries(storage, systemRandom, reissued),
      clock: systemClock,
      random: systemRandom,
      log,
    })
  } finally {
    await storage.close()
  }
}

/** The checkpoint of a mirror, and whether a log key of the store has signed it. */
async function checkpointIn(storage: BulkReadableStorage, note: string): Promise<MirrorCheckpoint> {
  const { epoch, size, root, origin } =
    parseCheckpoint(note) ??
    refuse('bad_input', 'the checkpoint beside the mirror is damaged: use another mirror, or remove the checkpoint')
  const keys: VerificationKey[] = []
  for await (const { doc } of documentsOf(storage, SIGNING_KEYS)) {
    const { use, publicJwk } = z.object(SigningKey.shape).parse(doc) // without what only a newer release knows
    if (LOG_USES.has(use)) keys.push({ jwk: publicJwk, alg: algOf(publicJwk) })
  }
  const log = origin.slice(0, origin.lastIndexOf('/log/'))
  return { epoch, size, root, isSigned: (await verifyCheckpoint(note, log, keys)) !== undefined }
}

const LOG_USES: ReadonlySet<KeyUse> = new Set(['log', 'log-ed25519'])
