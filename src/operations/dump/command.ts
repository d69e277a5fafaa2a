import { createReadStream, existsSync } from 'node:fs'
import { refuse } from '../../errors.js'
import { systemClock } from '../../lib/clock.js'
import { linesOf } from '../../lib/io/lines.js'
import { requirePrivate } from '../../lib/io/private-file.js'
import type { Log } from '../../lib/log.js'
import { systemRandom } from '../../lib/random.js'
import type { Config } from '../../server/config.js'
import { issuerOf, openStore, openWitness, requireStoreFile, storePath } from '../../server/open-store.js'
import type { LoadTarget } from '../../storage/bulk.js'
import { freezeLog } from '../../trust-log/recovery/freeze.js'
import { writeLines } from '../export-lines.js'
import { dumpStore, type OnProgress, type Progress } from './dump.js'
import { openFileToLoad } from './file-target.js'
import { type LoadResult, loadStore } from './load.js'

export type { Progress }

interface CommandOptions {
  readonly config: Config
  readonly onProgress?: OnProgress
  readonly log: Log
}

/** Documents have at most 15 million characters, of up to three bytes. */
const MAX_LINE_BYTES = 64 * 1024 * 1024

/**
 * `credence admin dump`: writes the store to a new file, or to a stream. `seals` first ends the log of the store, so that the registry can move; no
 * instance may run then. Returns the last line of the dump.
 */
export async function dumpToFile({
  config,
  to,
  seals = false,
  onProgress = () => undefined,
  log,
}: CommandOptions & { readonly to: string | NodeJS.WritableStream; readonly seals?: boolean }): Promise<object> {
  requireStoreFile(config)
  const storage = await openStore(config, log, { isExclusive: seals, isLongRunning: true })
  try {
    if (seals) {
      await freezeLog({ port: storage.log, clock: systemClock, random: systemRandom })
      await storage.requireExclusive?.()
    }
    return await writeLines(dumpStore(storage, { now: systemClock.now(), onProgress }), to)
  } finally {
    await storage.close()
  }
}

/** `credence admin load`: loads a dump from a file, or from a stream, into the empty store that the configuration names. */
export async function loadFromFile({
  config,
  from,
  onProgress = () => undefined,
  log,
}: CommandOptions & { readonly from: string | AsyncIterable<Uint8Array> }): Promise<LoadResult> {
  if (typeof from === 'string' && !existsSync(from)) refuse('bad_input', `the dump ${from} does not exist`)
  if (typeof from === 'string') requirePrivate(from)
  const witness = openWitness({ ...config, issuer: issuerOf(config) })
  const target = await openTarget(config, log)
  const lines = linesOf(typeof from === 'string' ? createReadStream(from, { highWaterMark: 1_048_576 }) : from, MAX_LINE_BYTES)
  try {
    return await loadStore({ lines, target, witness, clock: systemClock, random: systemRandom, onProgress })
  } finally {
    // Closes the file or stream, if the dump was refused before its end
    await lines.return(undefined)
    await target.close()
  }
}

async function openTarget(config: Config, { warn }: Log): Promise<LoadTarget> {
  const [clock, name] = [systemClock, systemRandom.token(8)]
  if (config.store === undefined) return openFileToLoad({ file: storePath(config), clock, name })
  const { openMongoToLoad } = await import('../../storage/mongo/open.js')
  return openMongoToLoad({ url: config.store, clock, instance: name, warn })
}
