// A registry moves from one store to another: everything is copied and compared, then the source's log is sealed, and the target's goes on
// in the same epoch. Until the seal the source may be served again; from then on only the target. Each run does what is left to do, so one
// that was killed, wherever it was, is simply run again.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url, utf8 } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { silentLog } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import type { Block, Entry } from '../../protocol/log/entry.js'
import type { BulkWriter, ReadableStorage, StoredCounter, StoredDocument } from '../../storage/bulk.js'
import { anySpec, type Doc, type Spec, type Storage } from '../../storage/storage.js'
import { newClockSkewCheck } from '../../trust-log/clock-skew.js'
import { resumeLog, sealLog, sealOf } from '../../trust-log/recovery/seal.js'
import { openStores, registryCollections } from '../collections.js'
import { pages } from '../pages.js'
import { type Compared, requireSame } from './compare.js'

export interface Target extends Storage {
  readonly holdings: BulkWriter
}

export interface CopyDeps {
  readonly from: ReadableStorage
  readonly to: Target
  readonly clock: Clock
  readonly random: Random
  /** Copies and compares, and leaves the source as it was. */
  readonly rehearse: boolean
  readonly onProgress: (progress: Progress) => void
}

export interface Progress {
  readonly stage: 'log' | 'documents' | 'counters' | 'search' | 'compare' | 'seal' | 'continue' | 'finish'
  /** Of documents: which collection. */
  readonly collection?: string
  readonly done: number
}

/** `moved-before`: an earlier run has done it all. */
export type Copied =
  | { readonly outcome: 'moved-before' }
  | { readonly outcome: 'rehearsed'; readonly compared: Compared }
  | {
      readonly outcome: 'moved'
      readonly compared: Compared
      /** The source's last entry, and the one with which the target goes on. */
      readonly sealed: Entry
      readonly continued: Entry
    }

const PAGE = 500
const CARDS_A_COMMIT = 25

/** The registry of `from`, which nobody serves, into `to`, which is empty or was left by an earlier run. */
export async function copyRegistry(deps: CopyDeps): Promise<Copied> {
  const { from, to, rehearse, onProgress } = deps
  const specs = registryCollections()
  openStores(from)
  openStores(to)
  const strange = (await from.holdings.collections()).filter((name) => !specs.some((spec) => spec.name === name))
  if (strange.length > 0) refuse('unavailable', `the source has collections that this Credence does not know: ${strange.join(', ')}`)
  const [genesis] = await from.log.read(0, 1)
  if (genesis === undefined) return refuse('unavailable', 'the source has no log: there is nothing to copy')

  if (await isMoved(deps)) return { outcome: 'moved-before' }
  // Before anything is sealed: a source that is sealed and a target that may not go on serve nobody
  await newClockSkewCheck({ port: to.log, clock: deps.clock, log: silentLog })()
  const name = await to.holdings.begin(genesis.entries[0]?.id ?? '', deps.random.token(16))
  // The seal says for whom it is: of two targets only one ever goes on
  const digest = base64url(sha256(utf8(name)))
  const seal = sealOf(await from.log.head())
  if (seal !== undefined && seal.digest !== digest) refuse('conflict', 'the source was sealed for another deployment: go on with that one')
  await copyLog(deps)
  const now = deps.clock.now()
  for (const spec of specs) await copyDocuments(deps, spec, now)
  await copyCounters(deps, now)
  await copySearch(deps, now)
  onProgress({ stage: 'compare', done: 0 })
  const compared = await requireSame({ from, to, specs, now })
  if (rehearse) return { outcome: 'rehearsed', compared }
  await to.holdings.requireAlone()

  onProgress({ stage: 'seal', done: 0 })
  const sealed = await sealLog({ ...deps, port: from.log, digest })
  onProgress({ stage: 'continue', done: 0 })
  await copyLog(deps)
  const continued = await resumeLog({ ...deps, port: to.log })
  onProgress({ stage: 'finish', done: 0 })
  await to.holdings.finish()
  return { outcome: 'moved', compared, sealed, continued }
}

/** A target that is whole already and has the source's seal is where it was moved to. */
async function isMoved({ from, to }: CopyDeps): Promise<boolean> {
  const seal = sealOf(await from.log.head())
  if (seal === undefined || (await to.holdings.isReceiving())) return false
  return (await to.log.has(seal.id)) !== undefined
}

/** Blocks that the target does not have. What it has must be of the same history. */
async function copyLog({ from, to, onProgress }: CopyDeps): Promise<void> {
  const head = await to.log.head()
  if (head !== undefined) {
    const [same] = await from.log.read(head.n, 1)
    const isContinued = head.entries.at(-1)?.type === 'log.continued'
    if (isContinued) return
    if (JSON.stringify(same) !== JSON.stringify(head)) refuse('conflict', 'the target holds another history: name an empty database')
  }
  for (let n = (head?.n ?? -1) + 1; ; ) {
    const blocks = await from.log.read(n, PAGE)
    const last: Block | undefined = blocks.at(-1)
    if (last === undefined) return
    await to.holdings.putBlocks(blocks)
    n = last.n + 1
    onProgress({ stage: 'log', done: n })
  }
}

async function copyDocuments({ from, to, onProgress }: CopyDeps, spec: Spec<Doc>, now: number): Promise<void> {
  // What an earlier run brought and the source has no more, or otherwise: first, for it may stand where another is to be put
  for await (const held of pages((after) => to.holdings.documents(spec, { ...after, limit: PAGE, now: 0 }))) {
    const keys = held.map(({ key }) => key)
    const texts = new Map((await from.holdings.documentsOf(spec, keys)).map(({ key, text }) => [key, text]))
    const gone = held.filter(({ key, text }) => texts.get(key) !== text).map(({ key }) => key)
    if (gone.length > 0) await to.holdings.remove(spec, gone)
  }
  let done = 0
  for await (const held of pages((after) => from.holdings.documents(spec, { ...after, limit: PAGE, now }))) {
    await to.holdings.put(spec, held)
    done += held.length
    onProgress({ stage: 'documents', collection: spec.name, done })
  }
}

async function copyCounters({ from, to, onProgress }: CopyDeps, now: number): Promise<void> {
  await to.holdings.clearCounters()
  let done = 0
  for await (const counters of pages<StoredCounter>((after) => from.holdings.counters({ ...after, limit: PAGE, now }))) {
    await to.holdings.putCounters(counters)
    done += counters.length
    onProgress({ stage: 'counters', done })
  }
}

/** Rows of search are made anew from the cards. */
async function copySearch({ from, to, onProgress }: CopyDeps, now: number): Promise<void> {
  const { cards } = openStores(to)
  const { spec } = cards.collection
  await to.holdings.clearCards()
  let done = 0
  for await (const held of pages<StoredDocument>((after) =>
    from.holdings.documents(anySpec(spec), { ...after, limit: CARDS_A_COMMIT, now }),
  )) {
    const shown = held.map(({ text }) => spec.schema.parse(JSON.parse(text))).filter(({ hidden }) => hidden === undefined)
    const operations = shown.flatMap((card) => cards.indexing(card)).filter(({ kind }) => kind === 'index-card')
    if (operations.length > 0) await to.commit(operations)
    done += held.length
    onProgress({ stage: 'search', done })
  }
}
