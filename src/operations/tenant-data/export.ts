import type { OrgId } from '../../protocol/ids.js'
import { TICKETS } from '../../revocations/tickets-store.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import { endLine, headerLine } from '../export-lines.js'
import { ownedDocuments, requireTenant } from './owned-documents.js'

/** Hashes of codes and registration tokens that may still be redeemed; they are not exported. */
const SECRET_FIELDS = new Set(['codeHash', 'tokenHash'])
/** Tickets expire within seconds, and their ids are hashes of their secret texts. */
const OMITTED_COLLECTIONS = new Set([TICKETS.name])

/** The data of one organisation as JSON objects: a header, one object for each document, and a trailer with the counts. */
export async function* exportOrganisation(storage: BulkReadableStorage, orgId: OrgId, now: number): AsyncGenerator<object> {
  const tenant = await requireTenant(storage, orgId)
  yield headerLine(await storage.log.head(), now, { orgId, isRevoked: tenant.isRevoked })
  const documents: Record<string, number> = {}
  for await (const { spec, doc } of ownedDocuments(storage, tenant)) {
    const collection = spec.name
    if (OMITTED_COLLECTIONS.has(collection)) continue
    documents[collection] = (documents[collection] ?? 0) + 1
    yield { collection, doc: Object.fromEntries(Object.entries(doc).filter(([field]) => !SECRET_FIELDS.has(field))) }
  }
  yield endLine(documents)
}
