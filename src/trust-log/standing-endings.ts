import { SKEW_SECONDS } from '../protocol/claims.js'
import type { Handle } from '../protocol/handles.js'
import type { Ending } from '../protocol/log/entry.js'
import type { Collection, Cursor, Doc, Query } from '../storage/storage.js'
import type { TrustLog } from './trust-log.js'

interface ExpiringRecord extends Doc {
  readonly handle: Handle
  readonly expiresAt: number
}

const PAGE = 500

/** Endings of all records of a query that have neither ended nor expired, newest first. */
export async function standingEndings<D extends ExpiringRecord>(
  { ended, now }: Pick<TrustLog, 'ended' | 'now'>,
  collection: Collection<D>,
  index: string,
  where: Query<D>['where'],
): Promise<readonly Ending[]> {
  const endings: Ending[] = []
  for (let after: Cursor | undefined; ; ) {
    const page = await collection.find(index, { where, order: 'down', limit: PAGE, ...(after && { after }) })
    const standing = page.items.filter(({ expiresAt, handle }) => expiresAt > now() && !ended.has(handle))
    endings.push(...standing.map(endingOfExpiring))
    if (page.next === undefined) return endings
    after = page.next
  }
}

/** The ending of a record that expires. It is remembered until then. */
export const endingOfExpiring = ({ handle, expiresAt }: ExpiringRecord): Ending => ({ handle, horizon: expiresAt + SKEW_SECONDS })
