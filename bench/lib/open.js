// A registry in this process whose store the benchmark can seed directly.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../dist/lib/clock.js'
import { silentLog } from '../../dist/lib/log.js'
import { systemRandom } from '../../dist/lib/random.js'
import { startServer } from '../../dist/server/server.js'
import { openMongo } from '../../dist/storage/mongo/open.js'
import { openSqlite } from '../../dist/storage/sqlite/open.js'
import { freePort } from '../../examples/demo/stage.js'

export const newFolder = () => mkdtempSync(join(tmpdir(), 'credence-bench-'))

/** `store` is a MongoDB URL; without it the registry uses a SQLite file in `folder`. All instances of one registry need the same `issuer`. */
export async function openRegistry({ folder = newFolder(), keepsFolder = false, store, issuer: named, limits = 'off' } = {}) {
  if (!keepsFolder) process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const issuer = named ?? `http://127.0.0.1:${port}`
  const clock = systemClock
  const storage = store
    ? await openMongo({ url: store, clock, instance: `${process.pid}`, warn: () => {} })
    : await openSqlite({ file: join(folder, 'store.db'), clock })
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
    limits,
  }
  const started = performance.now()
  const server = await startServer(parts)
  return { issuer, port, folder, storage, server, trustLog: server.trustLog, startMs: performance.now() - started }
}
