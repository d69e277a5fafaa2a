// `credence admin copy`: from the file of one machine to a deployment of many.
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import { systemClock } from '../../lib/clock.js'
import { type Log, silentLog } from '../../lib/log.js'
import { systemRandom } from '../../lib/random.js'
import { parseDataConfig } from '../../server/config.js'
import { issuerOf, witnessOf } from '../../server/open-store.js'
import { openMongo } from '../../storage/mongo/open.js'
import { isMongoUrl } from '../../storage/mongo/url.js'
import { openSqlite } from '../../storage/sqlite/open.js'
import type { LogPort } from '../../storage/storage.js'
import { leafOfEntry } from '../../trust-log/proofs/leaf.js'
import { sealOf } from '../../trust-log/recovery/seal.js'
import { requireWitnessed, type WitnessStore } from '../../trust-log/witness/witness.js'
import { type Copied, copyRegistry, type Progress } from './copy.js'

export type { Copied, Progress }

export interface CopyOptions {
  /** `sqlite:<file>`. */
  readonly from: string
  /** `mongodb://…/<database>`. */
  readonly to: string
  /** Of the source now, of the target afterwards: a file, or another registry by its issuer. Default: `witness.json` beside the source's file. */
  readonly witness?: string
  /** Of the registry that moves, where its witness is another one. */
  readonly issuer?: string
  /** The server's configuration, which may name both. */
  readonly config?: string
  readonly rehearse?: boolean
  readonly onProgress?: (progress: Progress) => void
  readonly log?: Log
}

/** No registry may run over either. */
export async function copy({
  from,
  to,
  witness,
  issuer,
  config: configFile,
  rehearse = false,
  onProgress = () => undefined,
  log = silentLog,
}: CopyOptions): Promise<Copied> {
  const [, file] = /^sqlite:(.+)$/.exec(from) ?? []
  if (file === undefined) return refuse('bad_input', 'the source is written sqlite:<file>')
  if (!isMongoUrl(to)) return refuse('bad_input', 'the target is written mongodb://…/<database>')
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return refuse('unavailable', `${file} is not there, or is no file`)
  const config = parseDataConfig({ dataDirectory: dirname(file), ...(witness && { witness }), ...(issuer && { issuer }) }, configFile)
  const kept = witnessOf({ ...config, issuer: issuerOf(config) })
  const clock = systemClock
  const source = await openSqlite({ file, clock })
  try {
    const instance = systemRandom.token(8)
    const { warn } = log
    const target = await openMongo({ url: to, clock, instance, isAlone: true, isPatient: true, receives: true, warn })
    try {
      // A source that was put back from a backup would bring to life what was ended since
      if (sealOf(await source.log.head()) === undefined) await requireWitnessed(source.log, kept)
      const copied = await copyRegistry({ from: source, to: target, clock, random: systemRandom, rehearse, onProgress })
      if (copied.outcome !== 'rehearsed') await witnessContinued(target.log, kept)
      return copied
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/**
 * The target's head, as long as nobody has served it: then whoever serves it keeps the witness.
 * Another registry takes no word but that of a log that is served: until the target is, a note beside the source's file stands for it.
 */
async function witnessContinued(log: LogPort, witness: WitnessStore): Promise<void> {
  const head = await log.head()
  const last = head?.entries.at(-1)
  if (head === undefined || last?.type !== 'log.continued') return
  await witness.write({ epoch: head.epoch, seq: last.seq, hash: base64url(leafOfEntry(last)) })
}
