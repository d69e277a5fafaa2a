import type { OrgId } from '../../protocol/ids.js'
import type { ReadableStorage } from '../../storage/bulk.js'
import { belongingsOf, ownedDocuments } from './owned-documents.js'

/** Hashes of codes that somebody may still redeem. */
const SECRET = new Set(['codeHash', 'tokenHash'])
/** Tickets live for seconds, and their id is such a hash. */
const LEFT_OUT = new Set(['tickets'])

/** The data of one organisation, a JSON object each: a head, a document each, and last how many there were. */
export async function* exportOrganisation(storage: ReadableStorage, orgId: OrgId, at: number): AsyncGenerator<object> {
  const owned = await ownedDocuments(storage, orgId)
  const head = await storage.log.head()
  const position = head === undefined ? undefined : `${head.epoch}.${head.first + head.entries.length - 1}`
  yield { export: 'credence', version: 1, orgId, at, position, hasEnded: owned.hasEnded }
  const documents: Record<string, number> = {}
  for await (const { spec, doc } of belongingsOf(storage, owned)) {
    const collection = spec.name
    if (LEFT_OUT.has(collection)) continue
    documents[collection] = (documents[collection] ?? 0) + 1
    yield { collection, doc: Object.fromEntries(Object.entries(doc).filter(([field]) => !SECRET.has(field))) }
  }
  yield { end: true, documents }
}
