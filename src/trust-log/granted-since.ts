import type { Handle } from '../protocol/handles.js'
import type { Ending } from '../protocol/log/entry.js'
import type { Collection, Doc } from '../storage/storage.js'

/** A record that names the handles with which it was created. */
interface GrantedRecord extends Doc {
  readonly grantedBy?: readonly Handle[] | undefined
}

interface GrantedQuery<D> {
  readonly grantedBy: Handle
  /** Epoch seconds. */
  readonly since: number
  readonly createdAt: (doc: D) => number
  readonly ending: (doc: D) => Ending
}

const PAGE = 500

/**
 * Returns the endings of all records that name `grantedBy` and were created at `since` or later. The holder of a compromised key may have created
 * them. The collection needs an index `grantedBy` over `[grantedBy, <creation time>]`. Records are read newest first, up to the first older one.
 */
export async function grantedSince<D extends GrantedRecord>(
  collection: Collection<D>,
  { grantedBy, since, createdAt, ending }: GrantedQuery<D>,
): Promise<readonly Ending[]> {
  const endings: Ending[] = []
  const query = { where: { grantedBy } as { [F in keyof D]?: Handle }, limit: PAGE, order: 'down' as const } // `grantedBy` is a field of every D
  for (
    let page = await collection.find('grantedBy', query);
    ;
    page = await collection.find('grantedBy', { ...query, ...(page.next && { after: page.next }) })
  ) {
    endings.push(...page.items.filter((doc) => createdAt(doc) >= since).map(ending))
    const last = page.items.at(-1)
    if (page.next === undefined || last === undefined || createdAt(last) < since) return endings
  }
}
