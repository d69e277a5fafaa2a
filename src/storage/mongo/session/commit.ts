// A commit is one transaction. What only inserts can share it with others that wait: if one of them fails, each is done alone.
import type { ClientSession, MongoClient } from 'mongodb'
import type { CommitResult, Operation } from '../../storage.js'
import { type Stored, storedOf } from '../codec.js'
import { type Collections, type CollectionsDeps, change, evict, take } from '../collections.js'
import type { Counters } from '../counters.js'
import type { Opened } from '../opened.js'
import type { CardOperation, CardRows } from '../search/card-search.js'
import { newBatch } from './batch.js'
import { isTaken } from './errors.js'
import { transaction } from './transaction.js'

export interface CommitDeps extends CollectionsDeps {
  readonly client: MongoClient
  readonly collections: Collections
  readonly counters: Counters
  readonly cards: CardRows
}

/** Does it in the transaction; whether it held. `isCareful`: looks for expired documents in the way, which a first try does not. */
type Step = (session: ClientSession, isCareful: boolean) => Promise<boolean>

interface Insert {
  readonly opened: Opened
  readonly stored: Stored
}

interface Prepared {
  readonly steps: readonly Step[]
  readonly inserts: readonly Insert[]
  /** Nothing but inserts: no guard that would have to be told apart. */
  readonly isPlain: boolean
}

export function newCommit(deps: CommitDeps): (operations: readonly Operation[]) => Promise<CommitResult> {
  const batched = newBatch((all: readonly Prepared[]) => commitAll(deps, all))
  return async (operations) => {
    const prepared = prepare(deps, operations)
    await Promise.all(readyFor(deps, operations))
    if (operations.length === 0) return { ok: true }
    return prepared.isPlain ? batched(prepared) : commitAlone(deps, prepared)
  }
}

async function commitAll(deps: CommitDeps, all: readonly Prepared[]): Promise<readonly (() => CommitResult)[]> {
  if (all.length > 1 && (await insertTogether(deps, all))) return all.map(() => () => ({ ok: true }))
  const outcomes = await Promise.allSettled(all.map((one) => commitAlone(deps, one)))
  return outcomes.map((outcome) => () => {
    if (outcome.status === 'fulfilled') return outcome.value
    throw outcome.reason
  })
}

/** All inserts of all, one command a collection. False where one of them failed: then none is there. */
async function insertTogether({ client }: CommitDeps, all: readonly Prepared[]): Promise<boolean> {
  const byCollection = new Map<Opened, Stored[]>()
  for (const { opened, stored } of all.flatMap(({ inserts }) => inserts)) {
    const list = byCollection.get(opened)
    if (list) list.push(stored)
    else byCollection.set(opened, [stored])
  }
  try {
    await transaction(client, async (session) => {
      for (const [{ docs }, stored] of byCollection) await docs.insertMany(stored, { session })
    })
    return true
  } catch (error) {
    if (isTaken(error)) return false
    throw error
  }
}

async function commitAlone({ client }: CommitDeps, { steps }: Prepared): Promise<CommitResult> {
  let isCareful = false
  for (;;) {
    let failed = -1
    try {
      await transaction(client, async (session) => {
        failed = -1
        for (const [i, step] of steps.entries()) {
          failed = i
          if (!(await step(session, isCareful))) throw new NotHeld()
        }
        failed = -1
      })
      return { ok: true }
    } catch (error) {
      if (error instanceof NotHeld) return { ok: false, failed }
      if (!isTaken(error)) throw error
      // A taken key ends the transaction. Looked at again: an expired document may be all that stands there.
      if (isCareful) return { ok: false, failed }
      isCareful = true
    }
  }
}

/** An operation of a commit did not hold: the transaction is given up. */
class NotHeld extends Error {}

function prepare(deps: CommitDeps, operations: readonly Operation[]): Prepared {
  const inserts: Insert[] = []
  const ofCards: CardOperation[] = []
  const steps = operations.map((operation): Step => {
    if (operation.kind !== 'index-card' && operation.kind !== 'unindex-card') return stepOf(deps, operation, inserts)
    // They always hold, and are one command at the end
    ofCards.push(operation)
    return async () => true
  })
  if (ofCards.length > 0)
    steps.push(async (session) => {
      await deps.cards.write(ofCards, session)
      return true
    })
  return { steps, inserts, isPlain: operations.every(({ kind }) => kind === 'insert') }
}

function stepOf(deps: CommitDeps, operation: Exclude<Operation, CardOperation>, inserts: Insert[]): Step {
  switch (operation.kind) {
    case 'insert': {
      const opened = deps.collections.opened(operation.collection)
      const { stored } = storedOf(opened.spec, operation.doc)
      inserts.push({ opened, stored })
      return async (session, isCareful) => {
        if (isCareful) await evict(opened, stored, session)
        await opened.docs.insertOne(stored, { session })
        return true
      }
    }
    case 'change': {
      const opened = deps.collections.opened(operation.collection)
      return async (session) => (await change(opened, operation, session)) !== undefined
    }
    case 'take': {
      const opened = deps.collections.opened(operation.collection)
      return async (session) => (await take(opened, operation, session)) !== undefined
    }
    case 'count':
      return async (session) => (await deps.counters.add(operation, session)) !== undefined
  }
}

/** A collection cannot be made within a transaction that others share. */
const readyFor = ({ collections, counters, cards }: CommitDeps, operations: readonly Operation[]): Promise<void>[] => [
  ...new Set(
    operations.map((operation) => {
      if ('collection' in operation) return collections.opened(operation.collection).ready()
      return operation.kind === 'count' ? counters.ready() : cards.ready()
    }),
  ),
]
