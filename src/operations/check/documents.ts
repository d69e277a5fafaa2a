import { signingKeyFault } from '../../signing-keys/changed-key.js'
import { SIGNING_KEYS, SigningKey } from '../../signing-keys/key-store.js'
import type { BulkReader, StoreFault } from '../../storage/bulk.js'
import { validate } from '../../storage/document.js'
import type { Doc, Spec } from '../../storage/storage.js'
import { storedJson } from '../../storage/stored-json.js'
import { pages } from '../pages.js'

const PAGE = 500

/** Compares every document of a collection with its schema, and the registry's keys with themselves. `onPage` gets the number of documents. */
export async function* documentFaults(
  bulk: Pick<BulkReader, 'documents'>,
  spec: Spec<Doc>,
  onPage: (documents: number) => void,
): AsyncGenerator<StoreFault> {
  for await (const page of pages((after) => bulk.documents(spec, { ...after, limit: PAGE, now: 0 }))) {
    for (const { key, text } of page) {
      const fault = await faultOf(spec, key, text)
      if (fault !== undefined)
        yield { part: spec.name === SIGNING_KEYS.name ? 'keys' : 'documents', where: `${spec.name}/${key}`, text: fault, isDerived: false }
    }
    onPage(page.length)
  }
}

async function faultOf(spec: Spec<Doc>, key: string, text: string): Promise<string | undefined> {
  let doc: Doc
  try {
    doc = storedJson<Doc>(text, 'it')
    if (validate(spec, doc).key !== key) return 'it has another key than its row'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return spec.name === SIGNING_KEYS.name ? signingKeyFault(SigningKey.parse(doc)) : undefined
}
