// A copy of the log as anybody can keep it: one entry a line, in order, without holes.

import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs'
import { refuse } from './errors.js'
import { Entry } from './protocol/entry.js'

export interface MirrorFile {
  /** Every entry that was written whole. A last line that a crash cut is left out. */
  read(): Entry[]
  /** Durable when it returns. */
  append(entries: readonly Entry[]): void
}

export function mirrorFile(file: string): MirrorFile {
  return {
    read: () => {
      if (!existsSync(file)) return []
      const lines = readFileSync(file, 'utf8').split('\n')
      // What stands behind the last line end was not finished
      return lines.slice(0, -1).map((line, i) => {
        const parsed = Entry.safeParse(JSON.parse(line))
        if (!parsed.success || parsed.data.seq !== i) refuse('unavailable', `${file}, line ${i + 1}, is not entry ${i} of a log`)
        return parsed.data
      })
    },
    append: (entries) => {
      appendFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      const handle = openSync(file, 'r+')
      fsyncSync(handle)
      closeSync(handle)
    },
  }
}
