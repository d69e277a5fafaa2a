// Checks a proved namespace again: every day; after a failure one hour later, then a day later. After MAX_FAILURES failed checks in a row the proof
// ends, and every card that was verified by it falls back to `signed`. So an outage of a day ends nothing, unless an administrator asks for checks
// meanwhile, which count too.

import type { AuditDraft } from '../../audit/audit.js'
import { shortened } from '../../lib/text.js'
import { endingProof, type NamespacesDeps } from './authority.js'
import { findEvidence } from './evidence.js'
import type { Namespace } from './store.js'

export const CHECK_SECONDS = 86_400
/** The delay after the first failure in a row, and after the second. */
const RETRY_SECONDS = [3_600, 86_400] as const
const MAX_FAILURES = 3

/** Returns the record after the check. `draft` is the audit row of the check; without one, a row is written only if the proof ends. */
export async function recheck(
  deps: Pick<NamespacesDeps, 'namespaces' | 'agents' | 'trustLog' | 'audit' | 'resolver' | 'guardedFetch'>,
  namespace: Namespace,
  draft?: AuditDraft,
): Promise<Namespace> {
  const { id, ver, method, failures } = namespace
  // Another method may cover less
  const evidence = await findEvidence(deps, namespace, { methods: [method], cause: draft && { id: draft.actor, orgId: draft.orgId } })
  const now = deps.trustLog.now()
  const guard = { ver, failures, endedAt: null }
  if ('method' in evidence || failures + 1 < MAX_FAILURES) {
    const checked =
      'method' in evidence
        ? { checkedAt: now, failures: 0, lastFailure: undefined, nextCheckAt: now + CHECK_SECONDS }
        : {
            checkedAt: now,
            failures: failures + 1,
            lastFailure: evidence.failure,
            nextCheckAt: now + (RETRY_SECONDS[failures] ?? CHECK_SECONDS),
          }
    if (draft) await deps.audit.record({ ...draft, facts: { failures: checked.failures } })
    return (await deps.namespaces.change(id, guard, checked)) ?? (await deps.namespaces.get(id)) ?? namespace
  }
  const ends = [{ handle: ver }]
  const lapsed = {
    checkedAt: now,
    failures: failures + 1,
    lastFailure: evidence.failure,
    nextCheckAt: undefined,
    endedAt: now,
    endedState: 'lapsed' as const,
  }
  await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [],
    operations: [
      ...endingProof(deps, namespace, guard, lapsed),
      ...deps.audit.recordingEnd(
        { ...(draft ?? scheduledDraft(namespace)), facts: { failures: lapsed.failures, state: 'lapsed' } },
        { ends, reason: 'policy', note: shortened(evidence.failure, MAX_NOTE) },
      ),
    ],
  })
  return (await deps.namespaces.get(id)) ?? namespace
}

const MAX_NOTE = 256

/** The member who proved the name stands for the schedule, which is no client. */
const scheduledDraft = ({ orgId, provedBy, name }: Namespace): AuditDraft => ({
  orgId,
  actor: provedBy,
  action: 'namespaces.check',
  outcome: 'done',
  subject: name,
})
