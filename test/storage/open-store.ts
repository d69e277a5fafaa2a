import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite, type SqliteOptions } from '../../src/storage/sqlite/open.js'
import { setClock } from '../set-clock.js'
import type { ContractStore } from './contract.js'

/** A folder that is removed at the end of the test. */
export async function tempFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'credence-storage-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Opens a new SQLite store. The servers of a process share one Storage, so `other` is the same object. */
export async function openStore(
  hooks: Pick<SqliteOptions, 'beforeCommit' | 'onStep'> = {},
): Promise<ContractStore & { readonly file: string }> {
  const folder = await tempFolder()
  const clock = setClock()
  const file = join(folder.path, 'data', 'credence.db')
  const storage = await openSqlite({ file, clock, ...hooks })
  return {
    storage,
    clock,
    other: storage,
    file,
    [Symbol.asyncDispose]: async () => {
      await storage.close()
      await folder[Symbol.asyncDispose]()
    },
  }
}
