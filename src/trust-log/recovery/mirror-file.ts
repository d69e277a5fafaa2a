import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import { refuse } from '../../errors.js'
import { readAtomicFile, writeAtomicFile } from '../../lib/io/atomic-file.js'
import { requirePrivate } from '../../lib/io/private-file.js'
import { readJson } from '../../lib/json.js'
import { Entry } from '../../protocol/log/entry.js'

/** A copy of the log in a file: one entry per line, from entry 0, without gaps. Only its owner may change it, because a restore relies on it. */
interface MirrorFile {
  /** The entries of all complete lines. A last line that a crash cut off is ignored. */
  read(): Entry[]
  /** Overwrites a line that a crash cut off. The entries are durable when it returns. */
  append(entries: readonly Entry[]): void
  /** The signed checkpoint that the entries were verified against last. Undefined if none was saved. */
  readCheckpoint(): Promise<string | undefined>
  /** Saves the checkpoint in a file beside the entries, after they are durable. */
  saveCheckpoint(note: string): Promise<void>
}

const SavedCheckpoint = z.strictObject({ checkpoint: z.string().max(65_536) })

/** A longer line is refused. The largest entry, with 10,000 endings, is about 0.7 MB long. */
const MAX_LINE_BYTES = 2_097_152
const CHUNK_BYTES = 65_536
const LINE_END = 0x0a

export function mirrorFile(file: string): MirrorFile {
  return {
    read: () => {
      requirePrivate(file)
      if (!existsSync(file)) return []
      const lines = readFileSync(file, 'utf8').split('\n')
      // The last element follows the last line end: it is empty, or was cut off by a crash.
      return lines.slice(0, -1).map((line, i) => {
        const json = readJson(line, { maxBytes: MAX_LINE_BYTES, maxValues: MAX_LINE_BYTES })
        const parsed = Entry.safeParse('value' in json ? json.value : undefined)
        if (!parsed.success || parsed.data.seq !== i) return refuse('unavailable', `${file}, line ${i + 1}: not entry ${i} of a log`)
        return parsed.data
      })
    },
    append: (entries) => {
      const handle = openSync(file, 'a+', 0o600)
      try {
        ftruncateSync(handle, completeBytes(handle))
        writeFileSync(handle, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
        fsyncSync(handle)
      } finally {
        closeSync(handle)
      }
    },
    readCheckpoint: async () => (await readAtomicFile(checkpointOf(file), SavedCheckpoint, 'checkpoint'))?.checkpoint,
    saveCheckpoint: (checkpoint) => writeAtomicFile(checkpointOf(file), { checkpoint }),
  }
}

const checkpointOf = (file: string): string => `${file}.checkpoint`

/** Number of bytes up to and including the last line end, searched from the end of the file. */
function completeBytes(handle: number): number {
  const chunk = Buffer.alloc(CHUNK_BYTES)
  for (let end = fstatSync(handle).size; end > 0; ) {
    const from = Math.max(0, end - CHUNK_BYTES)
    const read = readSync(handle, chunk, 0, end - from, from)
    const lineEnd = chunk.subarray(0, read).lastIndexOf(LINE_END)
    if (lineEnd >= 0) return from + lineEnd + 1
    end = from
  }
  return 0
}
