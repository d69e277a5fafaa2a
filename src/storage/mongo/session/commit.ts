// Commits groups of operations in one transaction, with or without a block of the log.
//
// Algorithm. The transaction reads one snapshot. With a block, it first checks that block n − 1 stands and that block n is free. Then the writes of
// the groups are planned (plan.ts); a group that cannot be done is dropped. The writes follow, with one command for each collection, and the block
// last, because every other instance waits for its number from then on. A duplicate key aborts the transaction: the error names the operation, its
// group is dropped, and the transaction is tried again.
//
// If the response to the commit is lost, it is sent again on the same session, which is safe to repeat. If it is still unknown, the session is
// ended and the error is thrown. With a block, the caller then finds out from the log what became of it.
//
// Cost: one command for each collection that is written, one for each in which documents are changed, and the commit. Limits: if other
// transactions write the same documents, a transaction is tried for MAX_MS; one with a block MAX_TRIES times, because its caller retries it.
import { type ClientSession, type Collection, type Document, type MongoClient, MongoError } from 'mongodb'
import { refuse } from '../../../errors.js'
import { systemClock } from '../../../lib/clock.js'
import { systemRandom } from '../../../lib/random.js'
import { Block } from '../../../protocol/log/entry.js'
import type { Appending, Group, GroupResult, Operation } from '../../storage.js'
import { storedOf } from '../codec.js'
import type { OpenCollection } from '../open-collection.js'
import type { CardOperation, CardRows } from '../search/card-search.js'
import { type StoredBlock, storedBlock } from '../stored-block.js'
import { DURABLE } from './connect.js'
import { callServer, isDuplicateKey } from './errors.js'
import { type Attempts, type PlanDeps, planWrites, type Write } from './plan.js'

interface CommitDeps extends PlanDeps {
  readonly client: MongoClient
  readonly cards: CardRows
  readonly blocks: Collection<StoredBlock>
}

interface Commit {
  (groups: readonly Group[]): Promise<readonly GroupResult[]>
  /** `taken`: the number of the block is in use, or another instance is about to use it. */
  (groups: readonly Group[], block: Omit<Appending, 'groups'>): Promise<readonly GroupResult[] | 'taken'>
}

const MAX_TRIES = 8
const MAX_MS = 5000
/** The longest pause before a transaction is tried again that others were in the way of. */
const MAX_PAUSE_MS = 50
/** Waits before an unknown commit is sent again. */
const RESEND_MS = [20, 40, 60]

export function newCommit(deps: CommitDeps): Commit {
  const commit = async (groups: readonly Group[], block?: Omit<Appending, 'groups'>): Promise<readonly GroupResult[] | 'taken'> => {
    await readyFor(deps, groups)
    const attempts: Attempts = { failed: invalidGroups(deps, groups), overExpired: new Set() }
    const endMs = systemClock.monotonicMs() + MAX_MS
    for (let tries = 1; ; tries++) {
      const outcome = await callServer(() => tryOnce(deps, groups, attempts, block))
      if (outcome === 'taken') return 'taken'
      if (outcome === 'done') return groups.map((_, i): GroupResult => attempts.failed.get(i) ?? { ok: true })
      if (outcome === 'dropped') continue
      if (block && tries >= MAX_TRIES) return 'taken'
      if (systemClock.monotonicMs() > endMs) refuse('unavailable', 'the store is busy', { retryAfterSeconds: 1 })
      await systemClock.after(((systemRandom.bytes(1)[0] ?? 0) / 256) * MAX_PAUSE_MS)
    }
  }
  return commit as Commit // `taken` is only returned with a block
}

/** A document that does not match its schema fails its own group only. */
function invalidGroups({ collections }: CommitDeps, groups: readonly Group[]): Map<number, GroupResult> {
  const failed = new Map<number, GroupResult>()
  for (const [i, group] of groups.entries()) {
    try {
      for (const operation of group) if (operation.kind === 'insert') storedOf(collections.opened(operation.collection).spec, operation.doc)
    } catch (error) {
      failed.set(i, { ok: false, error })
    }
  }
  return failed
}

/** `dropped`: a group met a duplicate key, so the others are tried at once. `again`: other transactions are in the way. */
async function tryOnce(
  deps: CommitDeps,
  groups: readonly Group[],
  attempts: Attempts,
  block?: Omit<Appending, 'groups'>,
): Promise<'done' | 'taken' | 'dropped' | 'again'> {
  const session = deps.client.startSession()
  try {
    session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: DURABLE })
    const next = block && (await nextPosition(deps, block.n, session))
    const writes = await planWrites(deps, groups, attempts, session)
    const done = [...groups.keys()].filter((i) => !attempts.failed.has(i))
    if (done.length === 0) {
      await session.abortTransaction()
      return 'done'
    }
    await write(writes, session)
    const cards = done.flatMap((i) => groups[i] ?? []).filter(isCardOperation)
    if (cards.length > 0) await deps.cards.write(cards, session)
    if (block) await insertBlock(deps, Block.parse(block.blockOf(done)), next, session)
    await commitTransaction(deps, session)
    return 'done'
  } catch (error) {
    // An open transaction would hold the number of the block for all instances.
    if (session.inTransaction()) await session.abortTransaction().catch(() => undefined)
    if (error instanceof BlockTaken) return 'taken'
    if (error instanceof DuplicateIn) {
      dropGroup(attempts, error.operation)
      return 'dropped'
    }
    if (isTransient(error)) return 'again'
    throw error
  } finally {
    await session.endSession().catch(() => undefined)
  }
}

class BlockTaken extends Error {}
/** A write was refused because another document has its key, or the same values in a unique index. */
class DuplicateIn extends Error {
  readonly operation: Pick<Write, 'group' | 'index'>
  constructor(operation: Pick<Write, 'group' | 'index'>) {
    super('duplicate key')
    this.operation = operation
  }
}

/** Nothing was written: another transaction was in the way, or the server was not reached before the commit. */
const isTransient = (error: unknown): boolean => error instanceof MongoError && error.hasErrorLabel('TransientTransactionError')
const isCardOperation = (operation: Operation): operation is CardOperation => operation.kind === 'index-card'

/**
 * Drops a group that met a duplicate key. The first time, an expired document may be in the way: it is removed in the next attempt. The second
 * time the group has failed.
 */
function dropGroup({ failed, overExpired }: Attempts, { group, index }: Pick<Write, 'group' | 'index'>): void {
  if (overExpired.has(group)) failed.set(group, { ok: false, failed: index })
  else overExpired.add(group)
}

/**
 * The position of the first entry of block `n`. Read in the transaction and not from memory: a backup may have been restored while this instance
 * runs.
 */
async function nextPosition({ blocks }: CommitDeps, n: number, session: ClientSession): Promise<number> {
  const found = await blocks.find({ _id: { $in: [n - 1, n] } }, { session, projection: { first: 1, entries: 1 } }).toArray()
  if (found.some(({ _id }) => _id === n)) throw new BlockTaken()
  const [before] = found
  if (n > 0 && before === undefined) throw doesNotFollow(n)
  return before === undefined ? 0 : before.first + before.entries.length
}

const doesNotFollow = (n: number): Error => new Error(`block ${n} does not follow the newest block of the log`)

async function insertBlock({ blocks }: CommitDeps, block: Block, next: number | undefined, session: ClientSession): Promise<void> {
  if (block.first !== next) throw doesNotFollow(block.n)
  await blocks.insertOne(storedBlock(block), { session }).catch((error: unknown) => {
    throw isDuplicateKey(error) || isTransient(error) ? new BlockTaken() : error
  })
}

async function write(writes: readonly Write[], session: ClientSession): Promise<void> {
  const byCollection = new Map<OpenCollection, Write[]>()
  for (const one of writes) byCollection.set(one.opened, [...(byCollection.get(one.opened) ?? []), one])
  for (const [{ docs }, own] of byCollection) {
    try {
      await docs.bulkWrite(
        own.map(({ model }) => model),
        { session },
      )
    } catch (error) {
      const index = duplicateIndex(error)
      const operation = index === undefined ? undefined : own[index]
      throw operation ? new DuplicateIn(operation) : error
    }
  }
}

/** Which operation of a bulk write met a duplicate key. */
function duplicateIndex(error: unknown): number | undefined {
  if (!isDuplicateKey(error) || !(error instanceof Error) || !('writeErrors' in error)) return undefined
  const [first] = [error.writeErrors].flat()
  return typeof first === 'object' && first !== null && 'index' in first ? Number(first.index) : undefined
}

async function commitTransaction({ client }: CommitDeps, session: ClientSession): Promise<void> {
  for (let sent = 0; ; sent++) {
    try {
      await session.commitTransaction()
      return
    } catch (error) {
      const isUnknown = error instanceof MongoError && error.hasErrorLabel('UnknownTransactionCommitResult')
      const ms = RESEND_MS[sent]
      if (isUnknown && ms !== undefined) {
        await systemClock.after(ms)
        continue
      }
      // The driver does not abort a transaction whose commit it has sent.
      if (isUnknown)
        await client
          .db('admin')
          .command({ killSessions: [session.id as Document] })
          .catch(() => undefined)
      throw error
    }
  }
}

/** Creates the collections beforehand: a transaction cannot. */
async function readyFor({ collections, counters, cards }: CommitDeps, groups: readonly Group[]): Promise<void> {
  const needed = new Set(
    groups.flat().map((operation) => {
      if ('collection' in operation) return collections.opened(operation.collection)
      return operation.kind === 'count' ? counters : cards
    }),
  )
  await Promise.all([...needed].map((one) => one.ready()))
  await cards.prepare(groups.flat())
}
