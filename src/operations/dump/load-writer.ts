import { refuse } from '../../errors.js'
import { Block } from '../../protocol/log/entry.js'
import type { Card } from '../../registry/cards/card-record.js'
import { CARDS, indexingRows } from '../../registry/cards/store.js'
import { textOfBlock } from '../../storage/block-text.js'
import type { LoadTarget, StoredCounter } from '../../storage/bulk.js'
import { hasExpired, validate } from '../../storage/document.js'
import type { Doc } from '../../storage/storage.js'
import { COLLECTIONS } from '../collections.js'
import type { OnProgress } from './dump.js'
import { LOG_PART, lineValue, type PartLine, partOf } from './parts.js'

interface WriterDeps {
  readonly target: LoadTarget
  readonly onProgress: OnProgress
}

interface LoadWriter {
  /** Writes a block, document or counter, which is represented by `text`, with the next batch. The parts follow one another. */
  write(line: PartLine, text: string): Promise<void>
  flush(): Promise<void>
}

const BATCH = 500
const BATCH_CHARACTERS = 4_000_000
const CARDS_PER_COMMIT = 25

/** Writes a store in batches, and the search rows of its cards. */
export function newLoadWriter({ target, onProgress }: WriterDeps): LoadWriter {
  let [current, batch, characters, done] = [LOG_PART, [] as object[], 0, 0]
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return
    await putBatch(target, current, batch)
    done += batch.length
    onProgress({ step: current, done })
    ;[batch, characters] = [[], 0]
  }
  return {
    write: async (line, text) => {
      const part = partOf(line)
      if (part !== current || batch.length >= BATCH || characters >= BATCH_CHARACTERS) await flush()
      if (part !== current) [current, done] = [part, 0]
      batch.push(lineValue(line))
      characters += text.length
    },
    flush,
  }
}

/**
 * The text with which a store of this release represents the value; undefined if the value has expired by `now` (epoch seconds). Throws if a document
 * does not match its schema. Other releases and stores may order members differently.
 */
export function storedText(line: PartLine, now: number): string | undefined {
  if ('block' in line) return textOfBlock(Block.parse(line.block))
  if ('counter' in line) return line.counter.expiresAt <= now ? undefined : JSON.stringify(Object.entries(line.counter).sort())
  const spec = COLLECTIONS.find(({ name }) => name === line.collection)
  if (spec === undefined) return refuse('bad_input', `this release does not know the collection ${line.collection}`)
  return hasExpired(spec, line.doc, now) ? undefined : validate(spec, line.doc).text
}

/** `part` decides the type of the values: `storedText` has validated them. */
async function putBatch(target: LoadTarget, part: string, values: readonly object[]): Promise<void> {
  const spec = COLLECTIONS.find(({ name }) => name === part)
  if (spec === undefined) return part === LOG_PART ? target.putBlocks(values as Block[]) : target.putCounters(values as StoredCounter[])
  await target.putDocuments(spec, values as Doc[])
  if (spec.name !== CARDS.name) return
  const cards = values as Card[]
  for (let i = 0; i < cards.length; i += CARDS_PER_COMMIT) {
    const { ok } = await target.storage.commit(cards.slice(i, i + CARDS_PER_COMMIT).flatMap(indexingRows))
    if (!ok) refuse('unavailable', 'the search rows of a card cannot be written')
  }
}
