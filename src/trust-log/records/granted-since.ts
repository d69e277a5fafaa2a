import type { Handle } from '../../protocol/handles.js'
import type { Ending } from '../../protocol/log/entry.js'
import type { Collection, Doc } from '../../storage/storage.js'

/** A record that knows by which handles it was made. */
export interface MadeBy extends Doc {
  readonly grantedBy?: readonly Handle[] | undefined
}

const PAGE = 500

/**
 * What was made by the handle since then: endings for `compromised since`. The collection has an index `grantedBy` of `[grantedBy, <moment>]`.
 * Newest first, so it reads no further than it must.
 */
export async function grantedSince<D extends MadeBy>(
  collection: Collection<D>,
  made: { readonly by: Handle; readonly since: number; readonly at: (doc: D) => number; readonly ending: (doc: D) => Ending },
): Promise<readonly Ending[]> {
  const endings: Ending[] = []
  const query = { where: { grantedBy: made.by } as { [F in keyof D]?: Handle }, limit: PAGE, order: 'down' as const } // `grantedBy` is a field of every D
  for (
    let page = await collection.find('grantedBy', query);
    ;
    page = await collection.find('grantedBy', { ...query, ...(page.next && { after: page.next }) })
  ) {
    endings.push(...page.items.filter((doc) => made.at(doc) >= made.since).map(made.ending))
    const last = page.items.at(-1)
    if (page.next === undefined || last === undefined || made.at(last) < made.since) return endings
  }
}
