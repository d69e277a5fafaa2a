import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import { systemClock } from '../../lib/clock.js'
import { type Log, silentLog } from '../../lib/log.js'
import { systemRandom } from '../../lib/random.js'
import { parseDataConfig } from '../../server/config.js'
import { issuerOf, openWitness } from '../../server/open-store.js'
import { openMongo } from '../../storage/mongo/open.js'
import { isMongoUrl } from '../../storage/mongo/url.js'
import { openSqlite } from '../../storage/sqlite/open.js'
import type { LogPort } from '../../storage/storage.js'
import { leafOfEntry } from '../../trust-log/proofs/leaf.js'
import { freezeEntryOf } from '../../trust-log/recovery/freeze.js'
import { requireWitnessed, type WitnessStore } from '../../trust-log/witness/witness.js'
import { type CopyResult, copyRegistry, type Progress } from './copy.js'

export type { Progress }

export interface CopyOptions {
  /** `sqlite:<file>`. */
  readonly from: string
  /** `mongodb://…/<database>`. */
  readonly to: string
  /**
   * Witness of the source, and of the target afterwards: a file, or the issuer of another registry. Default: `witness.json` beside the
   * source's file.
   */
  readonly witness?: string
  /** Issuer of the registry. Required if its witness is another registry. */
  readonly issuer?: string
  /** Configuration file of the server, which may set `witness` and `issuer`. */
  readonly config?: string
  readonly rehearse?: boolean
  readonly onProgress?: (progress: Progress) => void
  readonly log?: Log
}

/** `credence admin copy`: moves a registry from a SQLite file to a MongoDB deployment. Refuses while a registry runs on either store. */
export async function copyToMongo({
  from,
  to,
  witness: witnessName,
  issuer,
  config: configFile,
  rehearse = false,
  onProgress = () => undefined,
  log = silentLog,
}: CopyOptions): Promise<CopyResult> {
  const [, file] = /^sqlite:(.+)$/.exec(from) ?? []
  if (file === undefined) return refuse('bad_input', `the source must be sqlite:<file>, not ${from}`)
  if (!isMongoUrl(to)) return refuse('bad_input', 'the target must be mongodb://…/<database>')
  if (!statSync(file, { throwIfNoEntry: false })?.isFile())
    return refuse('unavailable', `the source ${file} does not exist, or is not a file`)
  const flags = { dataDirectory: dirname(file), ...(witnessName && { witness: witnessName }), ...(issuer && { issuer }) }
  const config = parseDataConfig(flags, configFile)
  const witness = openWitness({ ...config, issuer: issuerOf(config) })
  const clock = systemClock
  const source = await openSqlite({ file, clock })
  try {
    const instance = systemRandom.token(8)
    const { warn } = log
    const target = await openMongo({ url: to, clock, instance, isExclusive: true, isLongRunning: true, isImporting: true, warn })
    try {
      // If the source is an old backup, revocations since the backup would be missing in the target.
      if (witness && freezeEntryOf(await source.log.head()) === undefined) await requireWitnessed(source.log, witness)
      const result = await copyRegistry({ from: source, to: target, clock, random: systemRandom, rehearse, onProgress })
      if (witness && result.outcome !== 'rehearsed') await witnessResumed(target.log, witness)
      return result
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/**
 * Writes the target's head to the witness. If the target has been served since, its server has already updated the witness. A witness
 * that is another registry accepts only heads of a log that is served. For such a witness, the head is stored in a note beside the
 * source's file until the target is served.
 */
async function witnessResumed(log: LogPort, witness: WitnessStore): Promise<void> {
  const head = await log.head()
  const last = head?.entries.at(-1)
  if (head === undefined || last?.type !== 'log.resumed') return
  await witness.write({ epoch: head.epoch, seq: last.seq, hash: base64url(leafOfEntry(last)) })
}
