import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import { identitiesOf } from '../../protocol/handles.js'
import type { RegisteredKeyId } from '../../protocol/ids.js'
import { MAX_TOKEN_SECONDS } from '../../protocol/rights.js'
import type { Cursor, Page } from '../../storage/storage.js'
import { requireRegisteredKey } from './authority.js'
import { auditOf, type RevokeKeyDeps, requireStanding } from './revoke.js'
import type { RegisteredKey } from './store.js'

/** What was never retired has no `endsAt` and stands first in the index. */
const BEFORE_ALL: Cursor = [0, '']
const PAGE = 100

/** Retire: no new use after the overlap; the handle ends when nothing can stand on it any more. */
export async function retireKey(
  deps: RevokeKeyDeps,
  caller: Caller,
  id: RegisteredKeyId,
  overlapSeconds = MAX_TOKEN_SECONDS,
): Promise<{ retiresAt: number }> {
  const { now } = await deps.trustLog.readBarrier()
  const registeredKey = await requireRegisteredKey(deps, caller, id)
  requireStanding(deps, registeredKey)
  const retiresAt = Math.min(now + overlapSeconds, registeredKey.retiresAt ?? Number.POSITIVE_INFINITY)
  const guard = registeredKey.retiresAt === undefined ? null : registeredKey.retiresAt
  // Nothing ends yet, but all who keep the key in memory learn of it: the log says that something has changed.
  const { outcome } = await deps.registeredKeys.change(
    id,
    { retiresAt: guard },
    { retiresAt, endsAt: retiresAt + MAX_TOKEN_SECONDS + SKEW_SECONDS },
    {
      type: 'record.changed',
      begins: [],
      dependsOn: [registeredKey.handle, ...identitiesOf(caller.dependencies.handles)],
      also: [auditOf(deps, caller, 'keys.retire', registeredKey)],
    },
  )
  return outcome === 'begun' ? { retiresAt } : refuse('conflict', 'somebody changed it, or ended what it stands on, meanwhile')
}

/** Ends what was retired long enough ago; called on a timer. */
export async function endRetiredKeys({ registeredKeys, trustLog }: Pick<RevokeKeyDeps, 'registeredKeys' | 'trustLog'>): Promise<void> {
  const now = trustLog.now()
  for (let after: Cursor | undefined = BEFORE_ALL; after !== undefined; ) {
    const page: Page<RegisteredKey> = await registeredKeys.collection.find('retired', { where: {}, after, limit: PAGE })
    const due = page.items.filter(({ endsAt = Number.POSITIVE_INFINITY }) => endsAt <= now)
    if (due.length > 0)
      await trustLog.end({
        type: 'key.retired',
        ends: due.map(({ handle }) => ({ handle })),
        intent: due.map(({ id }) => registeredKeys.collection.changing(id, {}, { endsAt: undefined })),
      })
    after = due.length < page.items.length ? undefined : page.next
  }
}
