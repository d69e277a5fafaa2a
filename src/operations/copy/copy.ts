// Moves a registry from one store to another, without changing the epoch of its log.
//
// 1. Copy: log blocks, documents, counters. Search rows are rebuilt from the cards.
// 2. Compare: counts and digests of everything that was copied.
// 3. Freeze: append an entry to the source's log that names the target. From then on the source cannot be served.
// 4. Resume: copy that entry, and append another after which the target may be served.
//
// An interrupted run can be repeated. It first removes documents from the target that the source no longer has, or has in another version.
// Before step 3 the source may be served between two runs. Cost: both stores are read twice, the target is written once.
// Limits: no registry may run on either store during a run, and both stores must have the schema version of this build.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { silentLog } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import type { Block, Entry } from '../../protocol/log/entry.js'
import { CARDS, indexingRows } from '../../registry/cards/store.js'
import type { BulkReadableStorage, BulkWriter, StoredCounter, StoredDocument } from '../../storage/bulk.js'
import { anySpec, type Doc, type Spec, type Storage } from '../../storage/storage.js'
import { newClockSkewCheck } from '../../trust-log/clock-skew.js'
import { freezeEntryOf, freezeLog, resumeLog } from '../../trust-log/recovery/freeze.js'
import { COLLECTIONS, openCollections } from '../collections.js'
import { pages } from '../pages.js'
import { type Comparison, requireEqual } from './compare.js'

interface CopyTarget extends Storage {
  readonly bulk: BulkWriter
}

interface CopyDeps {
  readonly from: BulkReadableStorage
  readonly to: CopyTarget
  readonly clock: Clock
  readonly random: Random
  /** Stops after the comparison: the source stays unchanged. */
  readonly rehearse: boolean
  readonly onProgress: (progress: Progress) => void
}

export interface Progress {
  readonly stage: 'log' | 'documents' | 'counters' | 'search' | 'compare' | 'freeze' | 'resume' | 'finish'
  /** Only in the stage `documents`. */
  readonly collection?: string
  /** Blocks, documents or counters so far; 0 in a stage that does not count. */
  readonly done: number
}

/** `already-moved`: an earlier run has finished the move. */
export type CopyResult =
  | { readonly outcome: 'already-moved' }
  | { readonly outcome: 'rehearsed'; readonly compared: Comparison }
  | {
      readonly outcome: 'moved'
      readonly compared: Comparison
      /** The last entry of the source's log, and the first that only the target has. */
      readonly freezeEntry: Entry
      readonly resumeEntry: Entry
    }

const PAGE = 500
const CARDS_PER_COMMIT = 25

/** Runs the steps in the header of this file. The target must be empty, or hold the result of an earlier run from the same source. */
export async function copyRegistry(deps: CopyDeps): Promise<CopyResult> {
  const { from, to, rehearse, onProgress } = deps
  openCollections(from)
  openCollections(to)
  const unknown = (await from.bulk.collections()).filter((name) => !COLLECTIONS.some((spec) => spec.name === name))
  if (unknown.length > 0)
    refuse('unavailable', `the source has collections that this build does not know: ${unknown.join(', ')}; use the build that wrote them`)
  const [genesis] = await from.log.read(0, 1)
  if (genesis === undefined) return refuse('unavailable', 'the source has no log; there is nothing to copy')

  if (await isMoved(deps)) return { outcome: 'already-moved' }
  // The clocks are checked before the freeze: if the target refused to resume after it, neither store could be served.
  await newClockSkewCheck({ port: to.log, clock: deps.clock, log: silentLog })()
  const name = await to.bulk.beginImport(genesis.entries[0]?.id ?? '', deps.random.token(16))
  // The freeze entry holds the digest of the target's name, so only one of two targets can ever resume the log.
  const digest = base64url(sha256(utf8(name)))
  const frozen = freezeEntryOf(await from.log.head())
  if (frozen !== undefined && frozen.digest !== digest)
    refuse('conflict', 'the source was frozen for another deployment; continue the copy to that deployment')
  await copyLog(deps)
  const now = deps.clock.now()
  for (const spec of COLLECTIONS) await copyDocuments(deps, spec, now)
  await copyCounters(deps, now)
  await rebuildSearchRows(deps, now)
  onProgress({ stage: 'compare', done: 0 })
  const compared = await requireEqual({ from, to, specs: COLLECTIONS, now })
  if (rehearse) return { outcome: 'rehearsed', compared }
  await to.bulk.requireExclusive()

  onProgress({ stage: 'freeze', done: 0 })
  const freezeEntry = await freezeLog({ ...deps, port: from.log, digest })
  onProgress({ stage: 'resume', done: 0 })
  await copyLog(deps)
  const resumeEntry = await resumeLog({ ...deps, port: to.log })
  onProgress({ stage: 'finish', done: 0 })
  await to.bulk.finishImport()
  return { outcome: 'moved', compared, freezeEntry, resumeEntry }
}

/** True if the import into the target is finished and the target's log holds the source's freeze entry. */
async function isMoved({ from, to }: CopyDeps): Promise<boolean> {
  const frozen = freezeEntryOf(await from.log.head())
  if (frozen === undefined || (await to.bulk.isImporting())) return false
  return (await to.log.has(frozen.id)) !== undefined
}

/** Copies the blocks that the target lacks. Refuses a target whose newest block differs from the source's block of that number. */
async function copyLog({ from, to, onProgress }: CopyDeps): Promise<void> {
  const head = await to.log.head()
  if (head !== undefined) {
    if (head.entries.at(-1)?.type === 'log.resumed') return
    const [same] = await from.log.read(head.n, 1)
    if (JSON.stringify(same) !== JSON.stringify(head))
      refuse('conflict', 'the target has the log of another registry; use an empty database')
  }
  for (let n = (head?.n ?? -1) + 1; ; ) {
    const blocks = await from.log.read(n, PAGE)
    const last: Block | undefined = blocks.at(-1)
    if (last === undefined) return
    await to.bulk.putBlocks(blocks)
    n = last.n + 1
    onProgress({ stage: 'log', done: n })
  }
}

async function copyDocuments({ from, to, onProgress }: CopyDeps, spec: Spec<Doc>, now: number): Promise<void> {
  // Outdated documents of an earlier run go first: one of them may hold the value of a unique index that a new document needs.
  for await (const page of pages((after) => to.bulk.documents(spec, { ...after, limit: PAGE, now: 0 }))) {
    const keys = page.map(({ key }) => key)
    const texts = new Map((await from.bulk.documentsByKey(spec, keys)).map(({ key, text }) => [key, text]))
    const outdated = page.filter(({ key, text }) => texts.get(key) !== text).map(({ key }) => key)
    if (outdated.length > 0) await to.bulk.removeDocuments(spec, outdated)
  }
  let done = 0
  for await (const page of pages((after) => from.bulk.documents(spec, { ...after, limit: PAGE, now }))) {
    await to.bulk.putDocuments(spec, page)
    done += page.length
    onProgress({ stage: 'documents', collection: spec.name, done })
  }
}

async function copyCounters({ from, to, onProgress }: CopyDeps, now: number): Promise<void> {
  await to.bulk.clearCounters()
  let done = 0
  for await (const counters of pages<StoredCounter>((after) => from.bulk.counters({ ...after, limit: PAGE, now }))) {
    await to.bulk.putCounters(counters)
    done += counters.length
    onProgress({ stage: 'counters', done })
  }
}

async function rebuildSearchRows({ from, to, onProgress }: CopyDeps, now: number): Promise<void> {
  await to.bulk.clearCardRows()
  let done = 0
  for await (const page of pages<StoredDocument>((after) =>
    from.bulk.documents(anySpec(CARDS), { ...after, limit: CARDS_PER_COMMIT, now }),
  )) {
    const cards = page.map(({ text }) => CARDS.schema.parse(JSON.parse(text))).filter(({ hidden }) => hidden === undefined)
    const operations = cards.flatMap(indexingRows).filter(({ kind }) => kind === 'index-card')
    if (operations.length > 0) await to.commit(operations)
    done += page.length
    onProgress({ stage: 'search', done })
  }
}
