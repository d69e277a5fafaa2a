// The witness as a file beside, or better far from, the store.

import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { refuse } from './errors.js'
import { readJson } from './lib/json.js'
import { Witnessed, type WitnessStore } from './trust-log/witness.js'

/** Written whole or not at all, and durable when answered. */
export function witnessFile(file: string): WitnessStore {
  return {
    name: file,
    read: async () => {
      const text = await readFile(file, 'utf8').catch((error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
        throw error
      })
      if (text === undefined) return undefined
      const json = readJson(text)
      const parsed = Witnessed.safeParse('value' in json ? json.value : undefined)
      if (!parsed.success) refuse('unavailable', `${file} is no witness`)
      return parsed.data
    },
    write: async (witnessed) => {
      await mkdir(dirname(resolve(file)), { recursive: true, mode: 0o700 })
      const next = `${file}.next`
      const handle = await open(next, 'w', 0o600)
      try {
        await handle.writeFile(`${JSON.stringify(witnessed)}\n`)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(next, file)
    },
  }
}
