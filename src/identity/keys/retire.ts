import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import { type Handle, identitiesOf } from '../../protocol/handles.js'
import { EntryId, type RegisteredKeyId } from '../../protocol/ids.js'
import type { Proposal } from '../../protocol/log/entry.js'
import { MAX_TOKEN_SECONDS } from '../../protocol/rights.js'
import type { Cursor, Operation, Page } from '../../storage/storage.js'
import type { ServedTrustLog } from '../../trust-log/trust-log.js'
import { requireRegisteredKey } from './authority.js'
import { indexingCardsOf, keyAuditDraft, type RevokeKeyDeps, requireNotEnded } from './revoke.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

/** Cursor before the first retired key: keys without `endsAt`, which were never retired, come first in the index. */
const BEFORE_RETIRED: Cursor = [0, '']
const PAGE = 100

/**
 * Retires a key: it authenticates no new request once `overlapSeconds` have passed.
 * Its handle ends later, when every token that it authenticated has expired. Retiring a key again can only shorten the overlap.
 */
export async function retireKey(
  deps: RevokeKeyDeps,
  caller: Caller,
  id: RegisteredKeyId,
  overlapSeconds = MAX_TOKEN_SECONDS,
): Promise<{ retiresAt: number }> {
  const { now } = caller.barrier
  const registeredKey = await requireRegisteredKey(deps, caller, id)
  requireNotEnded(deps, registeredKey)
  const retiresAt = Math.min(now + overlapSeconds, registeredKey.retiresAt ?? Number.POSITIVE_INFINITY)
  // No handle ends yet; the entry makes every instance drop its cached copy of the client.
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    further: [await retirementEntry(deps, registeredKey, retiresAt)],
    dependsOn: [registeredKey.handle, ...identitiesOf(caller.dependencies.handles)],
    operations: [
      retiring(deps.registeredKeys, registeredKey, retiresAt),
      deps.audit.recording(keyAuditDraft(caller, 'keys.retire', registeredKey)),
    ],
  })
  return outcome === 'committed'
    ? { retiresAt }
    : refuse('conflict', 'the key was changed or revoked concurrently, or your own access was revoked; read it and try again')
}

/**
 * The log entry of a retirement, so that a retirement which was removed from the store is noticed. Its id follows from the key's salt, the epoch
 * and the number of the retirement in it; its digest covers the date.
 */
export async function retirementEntry(
  { trustLog }: { readonly trustLog: Pick<ServedTrustLog, 'find' | 'epoch'> },
  { salt }: Pick<RegisteredKey, 'salt'>,
  retiresAt: number,
): Promise<Proposal> {
  let number = 0
  while ((await trustLog.find(retirementIdOf({ salt }, trustLog.epoch, number))) !== undefined) number++
  return newRetirementEntry({ salt, retiresAt }, trustLog.epoch, number)
}

export const newRetirementEntry = (key: Pick<RegisteredKey, 'salt' | 'retiresAt'>, epoch: Handle, number = 0): Proposal => ({
  id: retirementIdOf(key, epoch, number),
  type: 'record.changed',
  ends: [],
  digest: retirementDigestOf(key),
})

export const retirementIdOf = ({ salt }: Pick<RegisteredKey, 'salt'>, epoch: Handle, number: number): EntryId =>
  EntryId.parse(`ent_${digestOfText(`retired ${epoch} ${salt} ${number}`).slice(0, 22)}`)

export const retirementDigestOf = ({ salt, retiresAt }: Pick<RegisteredKey, 'salt' | 'retiresAt'>): string =>
  digestOfText(`retired ${salt} ${retiresAt}`)

/** How long after its retirement a key's handle ends: then every token that it authenticated has expired. */
export const END_AFTER_SECONDS = MAX_TOKEN_SECONDS + SKEW_SECONDS

/** The operation that retires a key. It fails if the key was retired concurrently. */
export const retiring = (registeredKeys: RegisteredKeysStore, key: RegisteredKey, retiresAt: number): Operation =>
  registeredKeys.changing(
    key.id,
    { retiresAt: key.retiresAt === undefined ? null : key.retiresAt },
    { retiresAt, endsAt: retiresAt + END_AFTER_SECONDS },
  )

export type EndRetiredDeps = Pick<RevokeKeyDeps, 'registeredKeys' | 'trustLog' | 'agents' | 'random'>

/** Ends the handles of retired keys whose `endsAt` has passed. Called by a timer. */
export async function endRetiredKeys(deps: EndRetiredDeps): Promise<void> {
  const { registeredKeys, trustLog } = deps
  const now = trustLog.now()
  for (let after: Cursor | undefined = BEFORE_RETIRED; after !== undefined; ) {
    const page: Page<RegisteredKey> = await registeredKeys.find('retired', { where: {}, after, limit: PAGE })
    const due = page.items.filter(({ endsAt = Number.POSITIVE_INFINITY }) => endsAt <= now)
    if (due.length > 0)
      await trustLog.end({
        type: 'key.retired',
        ends: due.map(({ handle }) => ({ handle })),
        operations: due.flatMap((key) => [registeredKeys.changing(key.id, {}, { endsAt: undefined }), ...indexingCardsOf(deps, key)]),
      })
    after = due.length < page.items.length ? undefined : page.next
  }
}
