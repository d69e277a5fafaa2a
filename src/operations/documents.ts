import type { ReadableStorage } from '../storage/bulk.js'
import type { Doc, Spec } from '../storage/storage.js'
import { pages } from './pages.js'

/** A document's fields, also such as this build does not know. */
export type Fields = Readonly<Record<string, unknown>>

const PAGE = 500

/** All of a collection, expired or not. */
export async function* documentsOf(
  { holdings }: Pick<ReadableStorage, 'holdings'>,
  spec: Spec<Doc>,
): AsyncGenerator<{ readonly key: string; readonly doc: Fields }> {
  for await (const page of pages((after) => holdings.documents(spec, { ...after, limit: PAGE, now: 0 })))
    for (const { key, text } of page) yield { key, doc: JSON.parse(text) as Fields } // written after the schema had passed it
}
