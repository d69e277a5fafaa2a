import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { People } from '../../identity/people/people.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { ConsentId, OrgId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import { type ConsentDeps, requireConsent } from './authority.js'
import { endingOfConsent, endingsOfPeople, stateOf } from './find.js'

/** Revokes a consent with every token and refresh family that depends on it. For the person and administrators of both sides. */
export async function revokeConsent(
  deps: ConsentDeps,
  caller: Caller,
  id: ConsentId,
  because: RevocationReason,
): Promise<{ readonly position: Position }> {
  const consent = await requireConsent(deps, caller, id)
  if (stateOf(deps, consent, caller.barrier.now) !== 'valid') refuse('already_revoked', 'the consent was revoked, or has expired')
  const ends = [endingOfConsent(consent), ...(await deps.endingsOfFamilies([id]))]
  const draft = auditDraft(caller, 'consents.revoke', { subject: id, ...otherSide(caller, consent) })
  return deps.trustLog.end({
    type: 'consent.revoked',
    ends,
    operations: [
      deps.consents.changing(id, {}, { revokedAt: deps.trustLog.now() }),
      ...deps.audit.recordingEnd(draft, { ends, ...because }),
    ],
  })
}

/** Administrators of both sides read the audit row. */
function otherSide(caller: Caller, { orgId, clientOrg }: { readonly orgId: OrgId; readonly clientOrg?: OrgId | undefined }) {
  const other = caller.orgId === orgId ? clientOrg : orgId
  return other === undefined || other === caller.orgId ? {} : { otherOrgId: other }
}

/** Maximum number of consents that one commit ends. */
const MAX_ENDINGS = 5000

/** Endings of the first consents of people who lose their membership, for the commit that revokes it. */
export const endingsWithPeople = (deps: Pick<ConsentDeps, 'consents' | 'trustLog'>, people: People) =>
  endingsOfPeople(deps, people, MAX_ENDINGS)

/**
 * Ends the consents that people still have after their membership has ended: those past the first commit, and those that were granted between the
 * list and the commit. No consent can be granted afterwards. Call before the revocation is acknowledged.
 */
export async function endRemainingConsents(
  deps: Pick<ConsentDeps, 'consents' | 'trustLog' | 'audit'>,
  caller: Caller,
  people: People,
  because: RevocationReason,
): Promise<void> {
  for (;;) {
    const ends = await endingsWithPeople(deps, people)
    if (ends.length === 0) return
    const draft = auditDraft(caller, 'consents.revoke', { subject: 'memberId' in people ? people.memberId : people.orgId })
    await deps.trustLog.end({ type: 'consent.revoked', ends, operations: deps.audit.recordingEnd(draft, { ends, ...because }) })
  }
}
