// Decides which groups of a transaction can be done, and plans their writes.
//
// The documents that the groups change or take are read with one command for each collection. The guards are checked in memory; a change is planned
// on top of those before it, so the operations of a group see each other's effect. A group that cannot be done leaves no trace.
import type { AnyBulkWriteOperation, ClientSession } from 'mongodb'
import { applyChange, hasExpired, matchesGuard } from '../../document.js'
import type { Group, GroupResult, Operation } from '../../storage.js'
import { docOf, encoded, type StoredDoc, storedOf } from '../codec.js'
import { type Collections, removeExpiredConflicts } from '../collections.js'
import type { Counters } from '../counters.js'
import type { OpenCollection } from '../open-collection.js'

export interface PlanDeps {
  readonly collections: Collections
  readonly counters: Counters
}

/** A write to one document, and the operation that it is for. */
export interface Write {
  readonly opened: OpenCollection
  readonly model: AnyBulkWriteOperation<StoredDoc>
  readonly group: number
  readonly index: number
}

/** What the attempts at a transaction have found out about its groups, by their index. */
export interface Attempts {
  readonly failed: Map<number, GroupResult>
  /** Groups that met a duplicate key. An expired document may have it, so the next attempt removes those first. */
  readonly overExpired: Set<number>
}

type DocOperation = Extract<Operation, { readonly collection: string }>
/** The documents as the transaction sees them; null for one that was taken. */
type Documents = Map<OpenCollection, Map<string, StoredDoc | null>>

export async function planWrites(
  deps: PlanDeps,
  groups: readonly Group[],
  attempts: Attempts,
  session: ClientSession,
): Promise<readonly Write[]> {
  const documents = await readDocuments(deps, groups, session)
  const writes: Write[] = []
  for (const [group, operations] of groups.entries()) {
    if (attempts.failed.has(group)) continue
    const own: Write[] = []
    const changed: Documents = new Map()
    for (const [index, operation] of operations.entries()) {
      if (!('collection' in operation)) continue
      const model = modelOf(deps, operation, documents, changed)
      if (model === undefined) attempts.failed.set(group, { ok: false, failed: index })
      else own.push({ ...model, group, index })
      if (attempts.failed.has(group)) break
    }
    if (!attempts.failed.has(group)) await count(deps, operations, { group, attempts, session })
    if (attempts.failed.has(group)) continue
    if (attempts.overExpired.has(group)) for (const { opened, model } of own) await removeExpired(opened, model, session)
    for (const [opened, docs] of changed) for (const [id, stored] of docs) set(documents, opened, id, stored)
    writes.push(...own)
  }
  return writes
}

async function readDocuments({ collections }: PlanDeps, groups: readonly Group[], session: ClientSession): Promise<Documents> {
  const ids = new Map<OpenCollection, Set<string>>()
  for (const operation of groups.flat()) {
    if (operation.kind !== 'change' && operation.kind !== 'take') continue
    const opened = collections.opened(operation.collection)
    ids.set(opened, (ids.get(opened) ?? new Set()).add(encoded(operation.key)))
  }
  const documents: Documents = new Map()
  for (const [opened, wanted] of ids) {
    const found = await opened.docs.find({ _id: { $in: [...wanted] } }, { session, batchSize: wanted.size + 1 }).toArray()
    documents.set(opened, new Map(found.map((stored) => [stored._id, stored])))
  }
  return documents
}

function set(documents: Documents, opened: OpenCollection, id: string, stored: StoredDoc | null): void {
  documents.set(opened, (documents.get(opened) ?? new Map<string, StoredDoc | null>()).set(id, stored))
}

/** The write of an operation; undefined if its guard does not match. `changed` holds what earlier operations of its group do. */
function modelOf(
  { collections }: PlanDeps,
  operation: DocOperation,
  documents: Documents,
  changed: Documents,
): Pick<Write, 'opened' | 'model'> | undefined {
  const opened = collections.opened(operation.collection)
  const { spec } = opened
  if (operation.kind === 'insert') {
    const { stored } = storedOf(spec, operation.doc)
    set(changed, opened, stored._id, stored)
    return { opened, model: { insertOne: { document: stored } } }
  }
  const id = encoded(operation.key)
  const own = changed.get(opened)?.get(id)
  const stored = own === undefined ? documents.get(opened)?.get(id) : own
  const doc = stored && docOf(spec, stored)
  if (!doc || hasExpired(spec, doc, opened.now()) || !matchesGuard(operation.guard, doc)) return undefined
  const filter = { _id: { $eq: id } }
  if (operation.kind === 'take') {
    set(changed, opened, id, null)
    return { opened, model: { deleteOne: { filter } } }
  }
  const next = storedOf(spec, applyChange(spec, doc, operation.to), doc).stored
  set(changed, opened, id, next)
  const { _id, ...replacement } = next
  return { opened, model: { replaceOne: { filter, replacement } } }
}

async function removeExpired(opened: OpenCollection, model: Write['model'], session: ClientSession): Promise<void> {
  if ('insertOne' in model) await removeExpiredConflicts(opened, model.insertOne.document as StoredDoc, session)
  else if ('replaceOne' in model) await removeExpiredConflicts(opened, { ...(model.replaceOne.replacement as StoredDoc), _id: '' }, session)
}

/** Adds to the counters of a group. If one of them would exceed its limit, the earlier ones are taken back. */
async function count(
  { counters }: PlanDeps,
  operations: Group,
  { group, attempts, session }: { readonly group: number; readonly attempts: Attempts; readonly session: ClientSession },
): Promise<void> {
  const added: Extract<Operation, { kind: 'count' }>[] = []
  for (const [index, operation] of operations.entries()) {
    if (operation.kind !== 'count') continue
    if ((await counters.add(operation, session)) !== undefined) {
      added.push(operation)
      continue
    }
    attempts.failed.set(group, { ok: false, failed: index })
    for (const { by, ...counter } of added) await counters.add({ ...counter, by: -by }, session)
    return
  }
}
