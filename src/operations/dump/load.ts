// Loads a dump into an empty store.
//
// 1. The lines are checked and written, in the order of the parts. The log is checked against its Merkle trees.
// 2. The last line must have the counts, digests and root of the lines before it.
// 3. The store is read back and compared with what was written, and the registered keys with the log: anybody who changes a dump can also correct the
//    digests in its last line.
// 4. After a sealed dump, an entry resumes the log: the registry has moved, and the witness gets the new head.
//
// Until the end the store is marked as incomplete: it is not served, and another run removes what was written. Cost: memory holds one batch, and the
// hashes of the log's tree. Limit: only a witness notices that one sealed dump was loaded into two stores.
import { sha256 } from '#crypto'
import { refuse } from '../../errors.js'
import { base64url } from '../../lib/bytes.js'
import type { Clock } from '../../lib/clock.js'
import { silentLog } from '../../lib/log.js'
import type { Random } from '../../lib/random.js'
import { parsePosition, positionOf } from '../../protocol/log/entry.js'
import { rootOfFrontier } from '../../protocol/log/merkle.js'
import type { BulkReadableStorage, LoadTarget } from '../../storage/bulk.js'
import { newAppliedLog } from '../../trust-log/apply.js'
import { leafOfEntry } from '../../trust-log/proofs/leaf.js'
import { resumeLog } from '../../trust-log/recovery/freeze.js'
import { requireHead, requireWitnessed, type WitnessStore } from '../../trust-log/witness/witness.js'
import { registeredKeyFaults } from '../check/registered-keys.js'
import { openCollections } from '../collections.js'
import { linesIn, type OnProgress, snapshotOf } from './dump.js'
import { newLoadWriter, storedText } from './load-writer.js'
import { DumpLine, differingPart, type End, Header, lineValue, PARTS, type PartDigests, PartSums, partOf } from './parts.js'

interface LoadDeps {
  /** The lines of the dump. */
  readonly lines: AsyncIterator<string>
  readonly target: LoadTarget
  readonly witness: WitnessStore | undefined
  readonly clock: Clock
  readonly random: Random
  readonly onProgress: OnProgress
}

export interface LoadResult {
  /** `moved`: the dump is sealed, and its log was resumed. `already-moved`: an earlier run has done so. `loaded`: the dump is not sealed. */
  readonly outcome: 'loaded' | 'moved' | 'already-moved'
  /** The last entry of the dump. */
  readonly position: string
  readonly documents?: Readonly<Record<string, number>>
  readonly root?: string
}

/** Loads a dump; see the head of this file. Refuses a store that is not empty. */
export async function loadStore(deps: LoadDeps): Promise<LoadResult> {
  const { target, witness, clock, onProgress } = deps
  const { storage } = target
  const header = headerIn(await deps.lines.next())
  const { position, isSealed } = header
  if (isSealed && witness) await requireHead(witness)
  openCollections(storage)
  if (!(await target.begin())) return finishEarlierMove(deps, header)
  const now = clock.now()
  const { end, written } = await writeAll(deps, header, now)
  onProgress({ step: 'verify', done: 0 })
  const differing = differingPart(written, await digestsIn(storage, now))
  if (differing !== undefined) refuse('conflict', `${differing}: the store does not hold what was written`)
  for await (const { where, text } of registeredKeyFaults(storage.bulk, storage.log))
    refuse('bad_input', `the dump was changed: ${where}: ${text}`)
  const loaded = { position, documents: end.documents, root: end.root }
  if (!isSealed) {
    await target.finish()
    return { outcome: 'loaded', ...loaded }
  }
  if (witness) await requireWitnessed(storage.log, witness, LOADED_BEFORE)
  onProgress({ step: 'resume', done: 0 })
  const { epoch } = parsePosition(position)
  const resumed = await resumeLog({ ...deps, port: storage.log })
  onProgress({ step: 'finish', done: 0 })
  await target.finish()
  await witness?.write({ epoch, seq: resumed.seq, hash: base64url(leafOfEntry(resumed)) })
  return { outcome: 'moved', ...loaded }
}

const LOADED_BEFORE =
  'Either this dump was loaded before, into another store: serve that store. Or the store that was dumped was an old copy: dump the newest store'

/** An earlier run may have been killed before it updated the witness. If the store was served since, its server has updated the witness. */
async function finishEarlierMove({ target, witness }: LoadDeps, { position, isSealed }: Header): Promise<LoadResult> {
  const head = await target.storage.log.head()
  const last = head?.entries.at(-1)
  const { epoch, seq } = parsePosition(position)
  if (!isSealed || last?.type !== 'log.resumed' || head?.epoch !== epoch || last.seq !== seq + 1)
    return refuse('conflict', 'the store is not empty: name an empty database, or a data directory without a store')
  if (witness) await requireWitnessed(target.storage.log, witness)
  await witness?.write({ epoch, seq: last.seq, hash: base64url(leafOfEntry(last)) })
  return { outcome: 'already-moved', position }
}

function headerIn(first: IteratorResult<string>): Header {
  const json = first.done ? undefined : jsonOf(first.value)
  const header = Header.safeParse(json)
  if (header.success) return header.data
  return refuse(
    'bad_input',
    'this is not a dump of a store that this release can read: its first line is no header of "credence admin dump"',
  )
}

/** Checks and writes all lines after the header. Returns the last line, and digests of what was written. */
async function writeAll({ lines, target, onProgress }: LoadDeps, { position }: Header, now: number) {
  const writer = newLoadWriter({ target, onProgress })
  const [read, written] = [new PartSums(), new PartSums()]
  const applied = newAppliedLog({ port: target.storage.log, log: silentLog })
  let [n, at]: [number, number] = [1, 0]
  let end: End | undefined
  /** Returns the line and its stored text, if it is to be written. */
  const check = (text: string) => {
    const line = DumpLine.parse(jsonOf(text))
    if (end !== undefined) refuse('bad_input', 'it follows the last line')
    if ('end' in line) {
      end = line
      return undefined
    }
    const part = partOf(line)
    const stored = storedText(line, now)
    if (PARTS.indexOf(part) < at) refuse('bad_input', `${part} is in the wrong place`)
    at = PARTS.indexOf(part)
    if ('block' in line) applied.apply(line.block)
    read.add(part, JSON.stringify(lineValue(line)))
    if (stored === undefined) return undefined
    written.add(part, stored)
    return { line, stored }
  }
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    n++
    const item = withLine(n, () => check(next.value))
    if (item) await writer.write(item.line, item.stored)
  }
  await writer.flush()
  if (end === undefined) return refuse('bad_input', `the dump is cut off after line ${n}`)
  const damaged = differingPart(end, read.digests())
  if (damaged !== undefined) refuse('bad_input', `the dump is damaged: its last line does not match the lines of ${damaged}`)
  if (end.root !== base64url(rootOfFrontier(sha256, applied.frontier)))
    refuse('bad_input', 'the dump is damaged: the Merkle root in its last line does not match its log')
  if (applied.epoch === undefined || positionOf(applied.epoch, applied.seq) !== position)
    refuse('bad_input', 'the dump is damaged: the position in its header does not match its log')
  return { end, written: written.digests() }
}

function withLine<T>(n: number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    return refuse('bad_input', `line ${n} of the dump is damaged: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** Digests of what the store holds, except what has expired by `now`. */
export async function digestsIn(storage: BulkReadableStorage, now: number): Promise<PartDigests> {
  const sums = new PartSums()
  for await (const line of linesIn(snapshotOf(storage), now)) sums.add(partOf(line), storedText(line, now) ?? '')
  return sums.digests()
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
