// A copy of the log as anybody can keep it: one entry a line, in order, without holes.
import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { refuse } from '../../errors.js'
import { readJson } from '../../lib/json.js'
import { Entry } from '../../protocol/log/entry.js'

export interface MirrorFile {
  /** Every entry that was written whole. A last line that a crash cut is left out. */
  read(): Entry[]
  /** In the place of what a crash cut; durable when it returns. */
  append(entries: readonly Entry[]): void
}

/** An entry of 10,000 endings has about 0.7 MB. */
const MAX_LINE_BYTES = 2_097_152
const CHUNK_BYTES = 65_536
const LINE_END = 0x0a

export function mirrorFile(file: string): MirrorFile {
  return {
    read: () => {
      if (!existsSync(file)) return []
      const lines = readFileSync(file, 'utf8').split('\n')
      // What stands behind the last line end was not finished
      return lines.slice(0, -1).map((line, i) => {
        const json = readJson(line, { maxBytes: MAX_LINE_BYTES })
        const parsed = Entry.safeParse('value' in json ? json.value : undefined)
        if (!parsed.success || parsed.data.seq !== i) return refuse('unavailable', `${file}, line ${i + 1}, is not entry ${i} of a log`)
        return parsed.data
      })
    },
    append: (entries) => {
      const handle = openSync(file, 'a+')
      try {
        ftruncateSync(handle, endOfLines(handle))
        writeFileSync(handle, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
        fsyncSync(handle)
      } finally {
        closeSync(handle)
      }
    },
  }
}

/** Behind the last line end. */
function endOfLines(handle: number): number {
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let end = fstatSync(handle).size; end > 0; ) {
    const from = Math.max(0, end - CHUNK_BYTES)
    const read = readSync(handle, chunk, 0, end - from, from)
    const at = chunk.subarray(0, read).lastIndexOf(LINE_END)
    if (at >= 0) return from + at + 1
    end = from
  }
  return 0
}
