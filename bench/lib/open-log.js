// A trust log over a SQLite file in this process, without a registry.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newEs256Signer } from '../../dist/credentials/jose/sign.js'
import { systemClock } from '../../dist/lib/clock.js'
import { silentLog } from '../../dist/lib/log.js'
import { systemRandom } from '../../dist/lib/random.js'
import { newHandle } from '../../dist/protocol/handles.js'
import { openSqlite } from '../../dist/storage/sqlite/open.js'
import { newTrustLog } from '../../dist/trust-log/new-trust-log.js'

export async function openTrustLog() {
  const folder = mkdtempSync(join(tmpdir(), 'credence-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const storage = await openSqlite({ file: join(folder, 'store.db'), clock: systemClock })
  const signer = await newEs256Signer()
  const trustLog = newTrustLog({
    storage,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    writer: 'bench',
    origin: 'bench',
    logSigner: async () => signer,
  })
  await trustLog.start()
  return trustLog
}

/** Ends as many random handles in one entry. */
export const endHandles = (trustLog, count, seconds) => {
  const horizon = systemClock.now() + seconds
  const ends = Array.from({ length: count }, () => ({ handle: newHandle(systemRandom, 'tok'), horizon }))
  return trustLog.end({ type: 'token.revoked', ends, operations: [] })
}
