// The form of an export: JSON objects, one per line. A header, one line for each document, and a last line with the counts.
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { incompleteName, publishNewFile, requireNewFile } from '../lib/io/new-file.js'
import { type Block, type Position, positionOf } from '../protocol/log/entry.js'

/** The first line. `head` is the newest block of the log that is exported. */
export const headerLine = <T extends object>(head: Block | undefined, now: number, contents: T) => ({
  export: 'credence' as const,
  version: 1 as const,
  ...contents,
  exportedAt: now,
  position: head && positionOfHead(head),
})

const positionOfHead = (head: Block): Position => positionOf(head.epoch, head.first + head.entries.length - 1)

/** The last line. */
export const endLine = <T extends object>(documents: Readonly<Record<string, number>>, more?: T) => ({
  end: true as const,
  documents,
  ...more,
})

/** Writes the lines to a new file, or to a stream, which stays open. Returns the last line. */
export async function writeLines(lines: AsyncIterable<object>, to: string | NodeJS.WritableStream): Promise<object> {
  let last: object = {}
  async function* texts() {
    for await (const line of lines) {
      last = line
      yield `${JSON.stringify(line)}\n`
    }
  }
  if (typeof to !== 'string') {
    await pipeline(texts(), to, { end: false })
    return last
  }
  requireNewFile(to)
  const partial = incompleteName(to)
  try {
    await pipeline(texts(), createWriteStream(partial, { flags: 'wx', mode: 0o600 }))
    await publishNewFile(partial, to)
  } finally {
    await rm(partial, { force: true })
  }
  return last
}
