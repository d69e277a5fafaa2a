import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { EndingOfPeople, People } from '../../identity/people/people.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { ConsentId, OrgId } from '../../protocol/ids.js'
import type { Ending, Position } from '../../protocol/log/entry.js'
import type { Operation } from '../../storage/storage.js'
import { endingOfExpiring } from '../../trust-log/standing-endings.js'
import { type ConsentDeps, requireConsent } from './authority.js'
import { stateOf } from './find.js'

/** Revokes a consent with every token and refresh family that depends on it. For the person and administrators of both sides. */
export async function revokeConsent(
  deps: ConsentDeps,
  caller: Caller,
  id: ConsentId,
  because: RevocationReason,
): Promise<{ readonly position: Position }> {
  const consent = await requireConsent(deps, caller, id)
  if (stateOf(deps, consent, caller.barrier.now) !== 'valid') refuse('already_revoked', 'the consent was revoked, or has expired')
  const ends = [endingOfExpiring(consent), ...(await deps.endingsOfFamilies([id]))]
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
export function otherSide(
  caller: Pick<Caller, 'orgId'>,
  { orgId, clientOrg }: { readonly orgId: OrgId; readonly clientOrg?: OrgId | undefined },
) {
  const other = caller.orgId === orgId ? clientOrg : orgId
  return other === undefined || other === caller.orgId ? {} : { otherOrgId: other }
}

/** Maximum number of consents and families that one commit ends. */
const MAX_ENDINGS = 5000

interface EndWithConsentsDeps extends Pick<ConsentDeps, 'trustLog' | 'audit'> {
  /** The consents of people, and the refresh families that need an ending of their own. */
  readonly endingsOf: (people: People) => Promise<readonly Ending[]>
}

/**
 * Ends a handle and what depends on it without naming it. The first commit ends the handle and up to MAX_ENDINGS consents; further commits end the others,
 * and those that were granted between the list and the first commit. Later no consent can be granted, because it would depend on the handle.
 */
export async function endWithConsents(
  { trustLog, audit, endingsOf }: EndWithConsentsDeps,
  people: People,
  { type, handle, draft, because, operations = [] }: EndingOfPeople,
): Promise<{ readonly position: Position }> {
  const end = (as: Pick<EndingOfPeople, 'type' | 'draft'>, ends: readonly Ending[], further: readonly Operation[] = []) =>
    trustLog.end({ type: as.type, ends, operations: [...further, ...audit.recordingEnd(as.draft, { ends, ...because })] })
  const listed = await endingsOf(people)
  const ended = await end({ type, draft }, [{ handle }, ...listed.slice(0, MAX_ENDINGS)], operations)
  const further = { type: 'consent.revoked', draft: { ...draft, action: 'consents.revoke' } } as const
  let left: readonly Ending[] = listed.slice(MAX_ENDINGS)
  do {
    for (let first = 0; first < left.length; first += MAX_ENDINGS) await end(further, left.slice(first, first + MAX_ENDINGS))
    left = await endingsOf(people)
  } while (left.length > 0)
  return ended
}
