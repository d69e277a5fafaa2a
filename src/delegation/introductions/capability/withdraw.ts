import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import type { Caller } from '../../../http/caller.js'
import type { RevocationReason } from '../../../protocol/end-reason.js'
import type { Position } from '../../../protocol/log/entry.js'
import { releasingSlot } from '../decide/quota-slots.js'
import { RETENTION_SECONDS } from '../introduction.js'
import type { IntroductionDeps } from '../introduction-deps.js'
import { isPending } from './find.js'
import { type CapabilityRequest, newJob } from './store.js'

/** Withdraws a request for a capability. From then on no agent can approve it; a job ends what they were asked. */
export async function withdrawCapabilityRequest(
  deps: IntroductionDeps,
  caller: Caller,
  request: CapabilityRequest,
  because: RevocationReason,
): Promise<{ position: Position } | 'retry'> {
  const { now, position } = caller.barrier
  const { requests, jobs } = deps.capabilities
  if (!isPending(deps.trustLog.ended, request) || request.pendingUntil <= now)
    return refuse('already_revoked', 'the request has already ended, or has expired')
  const draft = auditDraft(caller, 'introductions.revoke', { orgId: request.fromOrg, subject: request.id })
  const { ok } = await deps.storage.commit([
    requests.changing(request.id, { state: 'pending' }, { state: 'ended', purgeAt: now + RETENTION_SECONDS }),
    ...deps.audit.recordingEnd(draft, { ends: [{ handle: request.handle }], ...because }),
    ...(await releasingSlot(deps.introductions, request)),
    jobs.inserting(newJob(request, 'close', now)),
  ])
  return ok ? { position } : 'retry'
}
