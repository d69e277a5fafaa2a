import { INBOX, NOTIFICATION_OUTBOX } from '../../delegation/inbox/store.js'
import { CAPABILITY_ASKS } from '../../delegation/introductions/capability/store.js'
import { SIGN_IN_TICKETS } from '../../identity/people/store.js'
import type { OrgId } from '../../protocol/ids.js'
import { CARDS, EARLIER_CARD_VERSIONS } from '../../registry/cards/store.js'
import { TICKETS } from '../../revocations/tickets-store.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import { endLine, headerLine } from '../export-lines.js'
import { ownedDocuments, requireTenant } from './owned-documents.js'

/** Hashes of codes and registration tokens that may still be redeemed; they are not exported. */
const SECRET_FIELDS = new Set(['codeHash', 'tokenHash'])
/** Tickets expire within seconds, and their ids are hashes of their secret texts. */
const OMITTED_COLLECTIONS = new Set([TICKETS.name, SIGN_IN_TICKETS.name])

/** The cards of revoked agents are not exported: nobody may take them for active ones. */
const CARD_COLLECTIONS = new Set([CARDS.name, EARLIER_CARD_VERSIONS.name])

/** An ask because of a capability is for the asked side only: the requester must not learn that the agent has the capability. */
const ASKING_COLLECTIONS = new Set([CAPABILITY_ASKS.name, INBOX.name, NOTIFICATION_OUTBOX.name])

/** The data of one organisation as JSON objects: a header, one object for each document, and a trailer with the counts. */
export async function* exportOrganisation(storage: BulkReadableStorage, orgId: OrgId, now: number): AsyncGenerator<object> {
  const tenant = await requireTenant(storage, orgId)
  yield headerLine(await storage.log.head(), now, { orgId, isRevoked: tenant.isRevoked })
  const documents: Record<string, number> = {}
  for await (const { spec, doc } of ownedDocuments(storage, tenant)) {
    const collection = spec.name
    if (OMITTED_COLLECTIONS.has(collection) || (CARD_COLLECTIONS.has(collection) && tenant.revokedAgents.has(String(doc.agentId)))) continue
    if (ASKING_COLLECTIONS.has(collection) && doc.capability !== undefined && !tenant.ids.has(String(doc.to))) continue
    documents[collection] = (documents[collection] ?? 0) + 1
    yield { collection, doc: Object.fromEntries(Object.entries(doc).filter(([field]) => !SECRET_FIELDS.has(field))) }
  }
  yield endLine(documents)
}
