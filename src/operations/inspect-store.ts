// What can be seen of a store without opening it: for `credence doctor`, which runs beside the registry.
import { open } from 'node:fs/promises'
import type { Inspection } from '../storage/mongo/admin/inspect.js'
import { APPLICATION, FIRST_FORMAT, FORMAT } from '../storage/sqlite/database-file.js'

interface StoreFile {
  readonly isStore: boolean
  readonly format: number
  /** True if this release can read the format. */
  readonly isReadable: boolean
}

/** Reads the header of a SQLite file, which no process locks. */
export async function inspectStoreFile(file: string): Promise<StoreFile> {
  const handle = await open(file)
  try {
    const header = Buffer.alloc(100)
    await handle.read(header, 0, header.length, 0)
    const format = header.readUInt32BE(60)
    const isStore = header.toString('latin1').startsWith('SQLite format 3\0') && header.readUInt32BE(68) === APPLICATION
    return { isStore, format, isReadable: format >= FIRST_FORMAT && format <= FORMAT }
  } finally {
    await handle.close()
  }
}

/** Imported only here, so that a registry over SQLite does not load the MongoDB driver. */
export async function inspectDatabase(url: string): Promise<Inspection> {
  const { inspectMongo } = await import('../storage/mongo/admin/inspect.js')
  return inspectMongo(url)
}
