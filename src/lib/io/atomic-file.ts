// Small JSON files that are replaced atomically: a reader sees either the old or the new content.
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { z } from 'zod'
import { refuse } from '../../errors.js'
import { readJson } from '../json.js'
import { systemRandom } from '../random.js'
import { requirePrivate } from './private-file.js'

/** Reads the file, which only its owner may read and change; undefined if it does not exist. Refuses content that does not match the schema; `kind` names the file format in that text. */
export async function readAtomicFile<S extends z.ZodType>(file: string, schema: S, kind: string): Promise<z.infer<S> | undefined> {
  requirePrivate(file)
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const json = readJson(text)
  const parsed = schema.safeParse('value' in json ? json.value : undefined)
  return parsed.success ? parsed.data : refuse('unavailable', `${file}: not a valid ${kind} file`)
}

/** Replaces the file atomically; the new content is durable when the promise resolves. Of several concurrent writers, the last rename wins. */
export async function writeAtomicFile(file: string, value: object): Promise<void> {
  await mkdir(dirname(resolve(file)), { recursive: true, mode: 0o700 })
  // The name is random, because instances that share the file may write concurrently, and containers reuse process ids
  const temporary = `${file}.${systemRandom.token(8)}.next`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(`${JSON.stringify(value)}\n`)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
