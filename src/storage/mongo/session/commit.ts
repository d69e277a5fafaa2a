// A commit is one transaction. Queued commits that consist of inserts only share a transaction; if it fails, each runs in one of its own.
import type { ClientSession, MongoClient } from 'mongodb'
import type { CommitResult, Operation } from '../../storage.js'
import { type StoredDoc, storedOf } from '../codec.js'
import { type Collections, type CollectionsDeps, change, removeExpiredConflicts, take } from '../collections.js'
import type { Counters } from '../counters.js'
import type { OpenCollection } from '../open-collection.js'
import type { CardOperation, CardRows } from '../search/card-search.js'
import { newBatch } from './batch.js'
import { isDuplicateKey } from './errors.js'
import { transaction } from './transaction.js'

interface CommitDeps extends CollectionsDeps {
  readonly client: MongoClient
  readonly collections: Collections
  readonly counters: Counters
  readonly cards: CardRows
}

/**
 * Executes one operation in the transaction; false if it could not be done. `removesExpired`: first removes expired documents that conflict.
 * The first attempt skips that, because conflicts are rare.
 */
type CommitStep = (session: ClientSession, removesExpired: boolean) => Promise<boolean>

interface Insert {
  readonly opened: OpenCollection
  readonly stored: StoredDoc
}

interface Prepared {
  readonly steps: readonly CommitStep[]
  readonly inserts: readonly Insert[]
  /** Only such a commit can share a transaction: its result does not depend on which operation failed. */
  readonly isInsertOnly: boolean
}

export function newCommit(deps: CommitDeps): (operations: readonly Operation[]) => Promise<CommitResult> {
  const batched = newBatch((all: readonly Prepared[]) => commitBatch(deps, all))
  return async (operations) => {
    const prepared = prepare(deps, operations)
    await Promise.all(readyFor(deps, operations))
    if (operations.length === 0) return { ok: true }
    return prepared.isInsertOnly ? batched(prepared) : commitOne(deps, prepared)
  }
}

async function commitBatch(deps: CommitDeps, all: readonly Prepared[]): Promise<readonly (() => CommitResult)[]> {
  if (all.length > 1 && (await insertAll(deps, all))) return all.map(() => () => ({ ok: true }))
  const outcomes = await Promise.allSettled(all.map((prepared) => commitOne(deps, prepared)))
  return outcomes.map((outcome) => () => {
    if (outcome.status === 'fulfilled') return outcome.value
    throw outcome.reason
  })
}

/** Inserts the documents of all commits in one transaction, with one command per collection. False if a document conflicts; then nothing is written. */
async function insertAll({ client }: CommitDeps, all: readonly Prepared[]): Promise<boolean> {
  const byCollection = new Map<OpenCollection, StoredDoc[]>()
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
    if (isDuplicateKey(error)) return false
    throw error
  }
}

async function commitOne({ client }: CommitDeps, { steps }: Prepared): Promise<CommitResult> {
  let removesExpired = false
  for (;;) {
    let failed = -1
    try {
      await transaction(client, async (session) => {
        failed = -1
        for (const [i, step] of steps.entries()) {
          failed = i
          if (!(await step(session, removesExpired))) throw new OperationFailed()
        }
        failed = -1
      })
      return { ok: true }
    } catch (error) {
      if (error instanceof OperationFailed) return { ok: false, failed }
      if (!isDuplicateKey(error)) throw error
      // A duplicate key aborts the transaction. The second attempt removes expired documents first: only they may have conflicted
      if (removesExpired) return { ok: false, failed }
      removesExpired = true
    }
  }
}

/** Aborts the transaction because an operation could not be done. */
class OperationFailed extends Error {}

function prepare(deps: CommitDeps, operations: readonly Operation[]): Prepared {
  const inserts: Insert[] = []
  const cardOperations: CardOperation[] = []
  const steps = operations.map((operation): CommitStep => {
    if (operation.kind !== 'index-card' && operation.kind !== 'unindex-card') return stepOf(deps, operation, inserts)
    // Card operations cannot fail, and are sent as one command at the end
    cardOperations.push(operation)
    return async () => true
  })
  if (cardOperations.length > 0)
    steps.push(async (session) => {
      await deps.cards.write(cardOperations, session)
      return true
    })
  return { steps, inserts, isInsertOnly: operations.every(({ kind }) => kind === 'insert') }
}

function stepOf(deps: CommitDeps, operation: Exclude<Operation, CardOperation>, inserts: Insert[]): CommitStep {
  switch (operation.kind) {
    case 'insert': {
      const opened = deps.collections.opened(operation.collection)
      const { stored } = storedOf(opened.spec, operation.doc)
      inserts.push({ opened, stored })
      return async (session, removesExpired) => {
        if (removesExpired) await removeExpiredConflicts(opened, stored, session)
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

/** Creates the collections beforehand: a shared transaction cannot create one. */
const readyFor = ({ collections, counters, cards }: CommitDeps, operations: readonly Operation[]): Promise<void>[] => [
  ...new Set(
    operations.map((operation) => {
      if ('collection' in operation) return collections.opened(operation.collection).ready()
      return operation.kind === 'count' ? counters.ready() : cards.ready()
    }),
  ),
]
