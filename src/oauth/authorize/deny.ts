import { auditDraft } from '../../audit/audit-draft.js'
import { otherSide } from '../../delegation/consents/revoke.js'
import type { Operation } from '../../storage/storage.js'
import type { Asked } from './asked.js'
import { type DecidingDeps, type DecisionDeps, deciding, requireUndecided } from './decision.js'

/** Commits a denial: the request is decided, and the audit log has a row. */
export async function deny(
  deps: DecidingDeps &
    Pick<DecisionDeps, 'audit'> & {
      readonly storage: { commit(operations: readonly Operation[]): Promise<{ readonly ok: boolean }> }
    },
  asked: Asked,
): Promise<void> {
  const { client, person } = asked
  const draft = auditDraft(person, 'oauth.authorize', {
    ...otherSide(person, { orgId: person.orgId, clientOrg: client.orgId }),
    subject: client.id.slice(0, 128),
  })
  const { ok } = await deps.storage.commit([
    ...deciding(deps, asked, 'denied'),
    deps.audit.recording({ ...draft, outcome: 'refused', reason: 'access_denied' }),
  ])
  if (!ok) await requireUndecided(deps, asked)
}
