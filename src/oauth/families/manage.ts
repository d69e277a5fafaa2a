import { auditDraft } from '../../audit/audit-draft.js'
import type { FindHistory } from '../../audit/history.js'
import { isConcerned as isConcernedByConsent, seesPerson } from '../../delegation/consents/authority.js'
import type { FindConsentDeps } from '../../delegation/consents/find.js'
import { otherSide } from '../../delegation/consents/revoke.js'
import type { ConsentClientId } from '../../delegation/consents/store.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { PageInput } from '../../http/paging.js'
import type { PairwiseIds } from '../../identity/people/pairwise.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import { type ConsentId, type FamilyId, MemberId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { stands } from '../../protocol/standing.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import { sealedPaging } from '../../signing-keys/sealed-paging.js'
import { endingOfExpiring } from '../../trust-log/standing-endings.js'
import { hasConsent } from './end.js'
import type { Family } from './store.js'
import type { FamilyDeps } from './use.js'

export interface ManageFamiliesDeps extends FamilyDeps, FindConsentDeps {
  readonly trustLog: FamilyDeps['trustLog']
  readonly pairwiseIds: PairwiseIds
  readonly keyRing: Pick<KeyRing, 'secret'>
}

interface FamilyQuery extends PageInput {
  readonly memberId?: MemberId | undefined
  readonly clientId?: ConsentClientId | undefined
  readonly consentId?: ConsentId | undefined
}

/** True for the person, the client, and the administrators of both organisations: they see and revoke the family. */
const isConcerned = (caller: Caller, family: Family): boolean => caller.id === family.clientId || isConcernedByConsent(caller, family)

/**
 * Lists families of refresh tokens, newest first: those under a consent, of a client, or of a person; by default the caller's own. A page may have fewer
 * items than its limit although there are more.
 */
export const listFamilies = (
  deps: ManageFamiliesDeps,
  caller: Caller,
  { memberId, clientId, consentId, ...paging }: FamilyQuery,
): Promise<{ readonly items: readonly FamilyView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    // The last family that was read may be one that the caller may not see
    const { cursorAt, ...range } = await sealedPaging(deps.keyRing, ['families.list', caller.id, { memberId, clientId, consentId }], paging)
    const query = { order: 'down', ...range } as const
    const own = MemberId.safeParse(caller.id)
    const page =
      consentId !== undefined
        ? await deps.families.find('consent', { where: { consentIds: consentId }, ...query })
        : memberId === undefined && (clientId !== undefined || !own.success)
          ? await deps.families.find('client', { where: { clientId: clientId ?? caller.id }, ...query })
          : await deps.families.find('member', { where: { memberId: memberId ?? caller.id }, ...query })
    // With `memberId`, a caller sees only families of people of its own organisation
    const visible = page.items.filter((family) => (memberId === undefined ? isConcerned(caller, family) : seesPerson(caller, family)))
    const wanted = visible.filter(
      (family) =>
        family.isOffline &&
        (memberId === undefined || family.memberId === memberId) &&
        (clientId === undefined || family.clientId === clientId),
    )
    const findHistory = deps.audit.history(caller)
    const items = await Promise.all(wanted.map((family) => viewOf(deps, caller, family, now, findHistory)))
    // Without a cursor, a caller that may see none of these does not learn whether there are more
    return { items, ...(visible.length > 0 && (await cursorAt(page.next))) }
  })

/** A family of refresh tokens, as the person, its client and the administrators of both see it. Only the person's side sees the member id. */
export type FamilyView = Awaited<ReturnType<typeof viewOf>>

async function viewOf(deps: ManageFamiliesDeps, caller: Caller, family: Family, now: number, findHistory: FindHistory) {
  const { id, memberId, clientId, grants, taskId, handle, dependsOn, lastUse, createdAt, expiresAt } = family
  const isRevoked = !stands(deps.trustLog.ended, [handle, ...dependsOn]) || !(await hasConsent(deps, family))
  const state = expiresAt <= now ? 'expired' : isRevoked ? 'revoked' : 'valid'
  const [personId, ending] = await Promise.all([
    deps.pairwiseIds(memberId, `client:${clientId}`),
    state === 'revoked' ? findHistory([handle, ...dependsOn], expiresAt) : undefined,
  ])
  return {
    familyId: id,
    state,
    memberId: seesPerson(caller, family) ? memberId : undefined,
    /** The person as the client knows it. */
    personId,
    client: clientId,
    grants: grants.map(({ audience, consentId, bounds }) => ({ audience, consentId, scopes: bounds.scopes })),
    taskId,
    createdAt,
    until: expiresAt,
    lastUsedAt: lastUse?.usedAt,
    handles: [handle, ...dependsOn],
    ...ending,
  } as const
}

/** Revokes a family: its refresh token, and every token that was issued with it. The consents stay valid. */
export async function revokeFamily(
  deps: ManageFamiliesDeps,
  caller: Caller,
  id: FamilyId,
  because: RevocationReason,
): Promise<{ readonly position: Position }> {
  const family = await deps.families.get(id)
  if (!family || !isConcerned(caller, family)) return refuse('not_found', 'no such family of refresh tokens')
  if (family.expiresAt <= caller.barrier.now || deps.trustLog.ended.has(family.handle))
    refuse('already_revoked', 'the family was revoked, or has expired')
  const ends = [endingOfExpiring(family)]
  const draft = auditDraft(caller, 'families.revoke', { subject: id, ...otherSide(caller, family) })
  return deps.trustLog.end({ type: 'family.revoked', ends, operations: deps.audit.recordingEnd(draft, { ends, ...because }) })
}
