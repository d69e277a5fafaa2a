// Loading into a SQLite file. The file has another name until the load has finished, so an incomplete one is never served.
import { existsSync } from 'node:fs'
import { link, mkdir, open, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { refuse } from '../../errors.js'
import type { Clock } from '../../lib/clock.js'
import type { LoadTarget } from '../../storage/bulk.js'
import { openSqlite } from '../../storage/sqlite/open.js'
import { counting, operationsOf } from '../../storage/storage.js'
import { appendBlock } from '../../trust-log/block.js'

interface FileTargetDeps {
  readonly file: string
  readonly clock: Clock
  /** A name for this load that no other load has. */
  readonly name: string
}

export async function openFileToLoad({ file, clock, name }: FileTargetDeps): Promise<LoadTarget> {
  const isNew = !existsSync(file)
  const folder = dirname(resolve(file))
  const loading = join(folder, `${basename(file)}.loading-${name}`)
  if (isNew) await removeIncomplete(folder, `${basename(file)}.loading-`)
  const storage = await openSqlite({ file: isNew ? loading : file, clock })
  const require = (isDone: boolean): void => {
    if (!isDone) refuse('conflict', 'two lines of the dump have the same key, or the same values in a unique index')
  }
  return {
    storage,
    begin: async () => isNew,
    putBlocks: async (blocks) => {
      for (const appended of await Promise.all(blocks.map((block) => appendBlock(storage.log, block)))) require(appended !== 'taken')
    },
    putDocuments: async (spec, documents) => {
      require((await storage.commit(documents.map((doc) => operationsOf(spec).inserting(doc)))).ok)
    },
    putCounters: async (counters) => {
      const additions = counters.map(({ key, sum, expiresAt }) => counting(key, sum, Number.POSITIVE_INFINITY, expiresAt))
      require((await storage.commit(additions)).ok)
    },
    finish: async () => {
      await storage.close()
      // Refused if another load has finished meanwhile
      await link(loading, file)
      await rm(loading)
      const handle = await open(folder)
      await handle.sync()
      await handle.close()
    },
    close: async () => {
      await storage.close()
      // After a refusal the file holds a copy of the store, with its private keys
      if (isNew) await removeIncomplete(folder, basename(loading))
    },
  }
}

async function removeIncomplete(folder: string, prefix: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const name of await readdir(folder)) if (name.startsWith(prefix)) await rm(join(folder, name))
}
