// Erases the data of one revoked organisation.
//
// Every document that the organisation owns is removed, except: audit rows (with the notes that were given for endings) and the lists of handles that they ended, which a hash chain covers, with
// the retention that goes on removing them;
// the organisation's record, which keeps its id and handle under the name ERASED_NAME; and introductions and notifications of other
// organisations, which lose the texts that this organisation wrote; and its namespaces and the digests of its agents' names, so that no other
// organisation gets them; and the digests of compromised keys, which nobody can register again. The log keeps the revoked handles, so nothing that depended on the organisation becomes valid
// again.
// Cost: reads the whole store once and writes 100 documents at a time. An interrupted run can be repeated and continues where it stopped.
import { AUDIT_ENDINGS, AUDIT_RETENTION, AUDIT_ROWS } from '../../audit/store.js'
import { INBOX, NOTIFICATION_OUTBOX } from '../../delegation/inbox/store.js'
import { INTRODUCTIONS } from '../../delegation/introductions/store.js'
import { refuse } from '../../errors.js'
import { AGENT_NAMES } from '../../identity/agents/store.js'
import { banKey, bannedBySlot } from '../../identity/keys/quota-slots.js'
import { BANNED_KEYS, KEY_SLOTS } from '../../identity/keys/store.js'
import { NAMESPACES } from '../../identity/namespaces/store.js'
import { ORGANISATIONS } from '../../identity/organisations/store.js'
import type { OrgId } from '../../protocol/ids.js'
import { CARDS, unindexingRows } from '../../registry/cards/store.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import type { Change, Doc } from '../../storage/storage.js'
import { type OwnedDocument, ownedDocuments, requireTenant, type Tenant } from './owned-documents.js'

export interface Erased {
  /** Number of removed documents, by collection. */
  readonly erased: Readonly<Record<string, number>>
  /** Number of records that stay without the organisation's texts, by collection. */
  readonly cleared: Readonly<Record<string, number>>
  /** Number of documents that stay unchanged, by collection: they hold ids, times and short facts, and audit rows also the notes that were given for endings. */
  readonly retained: Readonly<Record<string, number>>
}

/** Replaces the name of an erased organisation. */
const ERASED_NAME = '(erased)'
const BATCH_DOCUMENTS = 100

export async function eraseOrganisation(storage: BulkReadableStorage, orgId: OrgId): Promise<Erased> {
  const tenant = await requireTenant(storage, orgId)
  if (!tenant.isRevoked) refuse('forbidden', `the organisation is not revoked; revoke it first: credence org revoke ${orgId}`)
  const counts = { erased: {} as Record<string, number>, cleared: {} as Record<string, number>, retained: {} as Record<string, number> }
  const eraseAndCount = async (document: OwnedDocument): Promise<void> => {
    const outcome = await erase(storage, tenant, document)
    if (outcome !== 'unchanged') counts[outcome][document.spec.name] = (counts[outcome][document.spec.name] ?? 0) + 1
  }
  let batch: OwnedDocument[] = []
  for await (const document of ownedDocuments(storage, tenant)) {
    // A batch never spans two collections, because agents and members must be erased after the documents that they own.
    if (batch.length >= BATCH_DOCUMENTS || (batch[0] && batch[0].spec.name !== document.spec.name)) {
      await Promise.all(batch.map(eraseAndCount))
      batch = []
    }
    batch.push(document)
  }
  await Promise.all(batch.map(eraseAndCount))
  return counts
}

type Outcome = keyof Erased | 'unchanged'

async function erase(storage: BulkReadableStorage, tenant: Tenant, document: OwnedDocument): Promise<Outcome> {
  const { spec, key, doc } = document
  switch (spec.name) {
    case AUDIT_ROWS.name:
    case AUDIT_ENDINGS.name:
    case AUDIT_RETENTION.name:
    case AGENT_NAMES.name:
    case NAMESPACES.name:
      return 'retained'
    case ORGANISATIONS.name: {
      if (doc.name === ERASED_NAME) return 'unchanged'
      const organisations = storage.collection(ORGANISATIONS)
      return (await organisations.change(key, {}, { name: ERASED_NAME })) ? 'cleared' : 'unchanged'
    }
    case INTRODUCTIONS.name:
      return clearIntroduction(storage, tenant, document)
    case INBOX.name:
    case NOTIFICATION_OUTBOX.name:
      return tenant.ids.has(String(doc.agentId)) ? take(storage, document) : clearNotification(storage, tenant, document)
    case KEY_SLOTS.name: {
      const jkt = bannedBySlot(key)
      if (jkt !== undefined) await banKey({ banned: storage.collection(BANNED_KEYS) }, jkt)
      return take(storage, document)
    }
    case CARDS.name:
      await storage.commit(unindexingRows(key))
      return take(storage, document)
    default:
      return take(storage, document)
  }
}

/**
 * An introduction between two organisations stays, because the other organisation still owns it. Only the texts of the erased one are
 * removed.
 */
async function clearIntroduction(storage: BulkReadableStorage, { orgId }: Tenant, { key, doc }: OwnedDocument): Promise<Outcome> {
  const introductions = storage.collection(INTRODUCTIONS)
  if (doc.fromOrg === orgId && doc.toOrg === orgId) return (await introductions.take(key, {})) ? 'erased' : 'unchanged'
  const texts = {
    ...(doc.fromOrg === orgId && doc.purpose !== '' ? { purpose: '' } : {}),
    ...(doc.toOrg === orgId && doc.note !== undefined ? { note: undefined } : {}),
  }
  if (Object.keys(texts).length === 0) return 'retained'
  // The change fails if the introduction has expired meanwhile.
  return (await introductions.change(key, {}, texts)) ? 'cleared' : 'unchanged'
}

/** A notification to another organisation's agent contains the purpose, which an agent of this organisation wrote. */
async function clearNotification(storage: BulkReadableStorage, { ids }: Tenant, { spec, key, doc }: OwnedDocument): Promise<Outcome> {
  if (!ids.has(String(doc.from)) || doc.purpose === '') return 'retained'
  const cleared = { purpose: '', ...(doc.capability !== undefined && { capability: undefined }) } as Change<Doc> // a field of both collections of notifications
  return (await storage.collection(spec).change(key, {}, cleared)) ? 'cleared' : 'unchanged'
}

/** An expired document is already absent, and the maintenance of any running registry purges it. */
async function take(storage: BulkReadableStorage, { spec, key }: OwnedDocument): Promise<Outcome> {
  return (await storage.collection(spec).take(key, {})) ? 'erased' : 'unchanged'
}
