// A registry in this process, with its store within reach: for seeding below the door.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../dist/lib/clock.js'
import { silentLog } from '../../dist/lib/log.js'
import { systemRandom } from '../../dist/lib/random.js'
import { startServer } from '../../dist/server.js'
import { openSqlite } from '../../dist/storage/sqlite/open.js'
import { freePort } from '../../examples/demo/stage.js'

export const newFolder = () => mkdtempSync(join(tmpdir(), 'credence-bench-'))

export async function openRegistry({ folder = newFolder(), keep = false } = {}) {
  if (!keep) process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const storage = await openSqlite({ file: join(folder, 'store.db'), clock: systemClock })
  const parts = {
    storage,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    issuer,
    dev: true,
    host: '127.0.0.1',
    port,
    adminPort: 0,
  }
  const started = performance.now()
  const server = await startServer(parts)
  return { issuer, folder, storage, server, trustLog: server.trustLog, startMs: performance.now() - started }
}
