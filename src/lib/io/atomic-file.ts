// Small files that are read and written whole.
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { refuse } from '../../errors.js'
import { readJson } from '../json.js'
import { systemRandom } from '../random.js'

/** What the file holds, or undefined where there is none. Refuses what is not of the schema. */
export async function readAtomicFile<S extends z.ZodType>(file: string, schema: S, what: string): Promise<z.infer<S> | undefined> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const json = readJson(text)
  const parsed = schema.safeParse('value' in json ? json.value : undefined)
  return parsed.success ? parsed.data : refuse('unavailable', `${file} is no ${what}`)
}

/** Written whole or not at all, and durable when answered. Of several who write at once one is there in the end. */
export async function writeAtomicFile(file: string, value: object): Promise<void> {
  await mkdir(dirname(resolve(file)), { recursive: true, mode: 0o700 })
  // A name of its own: instances that share the file write at the same moment, and in containers under the same process id
  const next = `${file}.${systemRandom.token(8)}.next`
  try {
    const handle = await open(next, 'wx', 0o600)
    try {
      await handle.writeFile(`${JSON.stringify(value)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(next, file)
  } catch (error) {
    await rm(next, { force: true })
    throw error
  }
}
