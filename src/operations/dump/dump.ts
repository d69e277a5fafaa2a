// Reads the whole store at one moment: the log, the documents of every collection, and the counters. Search rows are left out, because they follow from
// the cards. What has expired is left out.
//
// Cost: everything is read once; memory holds one page. Instances may write meanwhile. Limit: over MongoDB the server
// must keep the state of that moment until the end (minSnapshotHistoryWindowInSeconds).
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import { silentLog } from '../../lib/log.js'
import { rootOfFrontier } from '../../protocol/log/merkle.js'
import type { BulkReadableStorage, BulkSnapshot } from '../../storage/bulk.js'
import { newAppliedLog } from '../../trust-log/apply.js'
import { freezeEntryOf } from '../../trust-log/recovery/freeze.js'
import { COLLECTIONS, openCollections } from '../collections.js'
import { endLine, headerLine } from '../export-lines.js'
import { pages } from '../pages.js'
import { lineValue, type PartLine, PartSums, partOf } from './parts.js'

export interface Progress {
  /** The part of the dump, or a step of a load after all parts. */
  readonly step: string
  /** The lines of the part so far; 0 for a step that does not count. */
  readonly done: number
}
export type OnProgress = (progress: Progress) => void

interface DumpOptions {
  /** Epoch seconds. */
  readonly now: number
  readonly onProgress: OnProgress
}

const PAGE_DOCUMENTS = 200
/** A block may have thousands of entries. */
const PAGE_BLOCKS = 50

export async function* dumpStore(storage: BulkReadableStorage, { now, onProgress }: DumpOptions): AsyncGenerator<object> {
  openCollections(storage)
  const unknown = (await storage.bulk.collections()).filter((name) => !COLLECTIONS.some((spec) => spec.name === name))
  if (unknown.length > 0)
    refuse(
      'unavailable',
      `the store has collections that this release does not know: ${unknown.join(', ')}; use the release that wrote them`,
    )
  const snapshot = (await storage.openSnapshot?.()) ?? snapshotOf(storage)
  try {
    const head = await snapshot.head()
    if (head === undefined) return refuse('unavailable', 'the store has no log: there is nothing to dump')
    yield headerLine(head, now, { contents: 'store', isSealed: freezeEntryOf(head) !== undefined })
    const applied = newAppliedLog({ port: storage.log, log: silentLog })
    const sums = new PartSums()
    for await (const line of linesIn(snapshot, now)) {
      if ('block' in line) applied.apply(line.block)
      const part = partOf(line)
      const done = sums.add(part, JSON.stringify(lineValue(line)))
      if (done % PAGE_DOCUMENTS === 1) onProgress({ step: part, done })
      yield line
    }
    const { documents, digests } = sums.digests()
    yield endLine(documents, { digests, root: base64url(rootOfFrontier(sha256, applied.frontier)) })
  } finally {
    await snapshot.close()
  }
}

/** No other process uses the store, so its state does not change. */
export const snapshotOf = ({ bulk, log }: BulkReadableStorage): BulkSnapshot => ({
  documents: bulk.documents,
  counters: bulk.counters,
  head: log.head,
  blocks: log.read,
  close: async () => undefined,
})

/** The blocks, documents and counters of a store, except what has expired by `now` (epoch seconds). */
export async function* linesIn(snapshot: BulkSnapshot, now: number): AsyncGenerator<PartLine> {
  for (let n = 0; ; ) {
    const blocks = await snapshot.blocks(n, PAGE_BLOCKS)
    for (const block of blocks) yield { block }
    if (blocks.length === 0) break
    n += blocks.length
  }
  const page = { limit: PAGE_DOCUMENTS, now }
  for (const spec of COLLECTIONS)
    for await (const documents of pages((after) => snapshot.documents(spec, { ...page, ...after })))
      for (const { text } of documents) yield { collection: spec.name, doc: JSON.parse(text) }
  // A store may lack a counter whose sum is 0
  for await (const counters of pages((after) => snapshot.counters({ ...page, ...after })))
    for (const counter of counters) if (counter.sum !== 0) yield { counter }
}
