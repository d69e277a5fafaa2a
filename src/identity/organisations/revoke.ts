import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { RevocationReason } from '../../protocol/end-reason.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Position } from '../../protocol/log/entry.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { AgentsStore } from '../agents/store.js'
import type { ConsentsOfPeople } from '../people/people.js'
import type { OrganisationsStore } from './store.js'

export interface RevokeOrganisationDeps extends ConsentsOfPeople {
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
  readonly agents: Pick<AgentsStore, 'cardsToIndex'>
}

/**
 * Revokes the organisation. Its members, agents, tasks and introductions depend on its handle, so they are revoked with it; consents of its people are ended.
 * The organisation that runs the registry cannot be revoked.
 */
export async function revokeOrganisation(
  deps: RevokeOrganisationDeps,
  caller: Caller,
  orgId: OrgId,
  because: RevocationReason,
): Promise<{ position: Position }> {
  const organisation = await deps.organisations.get(orgId)
  if (!organisation) return refuse('not_found', 'no such organisation')
  if (organisation.role === 'operators') return refuse('forbidden', 'the organisation that runs the registry cannot be revoked')
  if (deps.trustLog.ended.has(organisation.handle)) return refuse('already_revoked', 'the organisation was revoked')
  return deps.endWithConsents(
    { orgId },
    {
      type: 'organisation.revoked',
      handle: organisation.handle,
      draft: auditDraft(caller, 'organisations.revoke', { otherOrgId: orgId, subject: orgId }),
      because,
      operations: [deps.agents.cardsToIndex.inserting({ id: organisation.handle, orgId, createdAt: caller.barrier.now })],
    },
  )
}
