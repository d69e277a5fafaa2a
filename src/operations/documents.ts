import type { BulkReadableStorage } from '../storage/bulk.js'
import { anySpec, type Doc, type Spec } from '../storage/storage.js'
import { storedJson } from '../storage/stored-json.js'
import { pages } from './pages.js'

/** The fields of a document, including those that only a newer build knows. */
export type Fields = Readonly<Record<string, unknown>>

const PAGE_DOCUMENTS = 500

/** Every document of a collection, including expired ones. */
export async function* documentsOf<D extends Doc>(
  storage: BulkReadableStorage,
  spec: Spec<D>,
): AsyncGenerator<{ readonly key: string; readonly doc: Fields }> {
  storage.collection(spec)
  for await (const page of pages((after) => storage.bulk.documents(anySpec(spec), { ...after, limit: PAGE_DOCUMENTS, now: 0 })))
    for (const { key, text } of page) yield { key, doc: storedJson<Fields>(text, `document ${key} of ${spec.name}`) }
}
