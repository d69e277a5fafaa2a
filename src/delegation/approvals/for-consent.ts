import type { Audit } from '../../audit/audit.js'
import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { ApprovalReason } from '../../protocol/approvals/token-request.js'
import type { Handle } from '../../protocol/handles.js'
import { identitiesOf } from '../../protocol/handles.js'
import { type MemberId, newId } from '../../protocol/ids.js'
import type { Operation, Storage } from '../../storage/storage.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { coversBounds } from '../consents/grant.js'
import { withNotifications } from '../inbox/post.js'
import type { InboxStore } from '../inbox/store.js'
import { PENDING_SECONDS } from '../introductions/introduction.js'
import { type ApprovalStateDeps, digestOfConsent, RETENTION_SECONDS, stateOf } from './approval.js'
import { requireFreeSlot } from './request.js'
import { type Approval, type ApprovalsStore, type ConsentRequest, isForConsent } from './store.js'
import { notifyingOf } from './view.js'

export interface ConsentApprovalDeps extends ApprovalStateDeps {
  readonly approvals: ApprovalsStore
  readonly inbox: InboxStore
  readonly storage: Pick<Storage, 'commit'>
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
}

type Person = Pick<Caller, 'orgId' | 'dependencies' | 'barrier'> & { readonly id: MemberId }

/** A consent that needs the approval of an administrator. */
export interface NeededApproval {
  readonly request: ConsentRequest
  readonly because: readonly ApprovalReason[]
  /** Prose of the resources about the scopes. */
  readonly words: Approval['words']
  /** Identities of the client: the approval is void once one of them ends. */
  readonly clientHandles: readonly Handle[]
}

const MAX_READ = 100

/** The approvals that a person has requested for a client, newest first, with their states. */
export async function findConsentApprovals(
  deps: ApprovalStateDeps & Pick<ConsentApprovalDeps, 'approvals'>,
  { id }: Pick<Person, 'id'>,
  clientId: ConsentRequest['clientId'],
  now: number,
): Promise<readonly Approval[]> {
  const { items } = await deps.approvals.find('from', { where: { from: id }, order: 'down', limit: MAX_READ })
  const ofClient = items.filter(({ request }) => isForConsent(request) && request.clientId === clientId)
  return Promise.all(ofClient.map(async (approval) => ({ ...approval, state: await stateOf(deps, approval, now) })))
}

/** True if the approval is for all that the person wants to allow now, for the same task, and for no fewer reasons. */
export const isApprovalOf = (approval: Approval, { request, because }: Pick<NeededApproval, 'request' | 'because'>): boolean => {
  const approved = approval.request
  return (
    isForConsent(approved) &&
    approved.taskId === request.taskId &&
    because.every((reason) => approval.because.includes(reason)) &&
    request.rights.every(({ audience, bounds }) =>
      approved.rights.some((right) => right.audience === audience && coversBounds(right.bounds, bounds)),
    )
  )
}

/** For the commit of the consent: fails if the approval was withdrawn, or another consent has taken it. */
export const takingConsentApproval = ({ approvals }: Pick<ConsentApprovalDeps, 'approvals'>, approval: Approval, now: number): Operation =>
  approvals.changing(
    approval.id,
    { state: 'approved', revision: approval.revision },
    { state: 'used', revision: approval.revision + 1, changedAt: Math.max(now, approval.changedAt) },
  )

/**
 * Asks the administrators of the person's organisation. `guards` are part of the commit; the request is refused if one of them fails. A request that is
 * pending already is not made again.
 */
export async function requestConsentApproval(
  deps: ConsentApprovalDeps,
  person: Person,
  needed: NeededApproval,
  guards: readonly Operation[],
): Promise<Approval> {
  const { now } = person.barrier
  const stored = await withNotifications(deps, async () => {
    const known = await findConsentApprovals(deps, person, needed.request.clientId, now)
    const pending = known.find((approval) => approval.state === 'pending' && isApprovalOf(approval, needed))
    const approval = pending ?? newApproval(deps, person, needed)
    // Keyed by the digest: of two equal requests at once one fails and finds the other
    const slot = pending ? undefined : await requireFreeSlot(deps, { id: approval.digest, from: person.id }, now)
    const creating = pending
      ? []
      : [
          deps.approvals.inserting({ ...approval, slot }),
          deps.audit.recording(auditDraft(person, 'approvals.request', { subject: approval.id })),
          ...(await notifyingOf(deps, approval, 'requested')),
        ]
    const committed = await deps.storage.commit([...guards, ...creating])
    if (committed.ok) return approval
    return committed.failed < guards.length
      ? refuse('conflict', 'this request was already decided, or you have signed out; go back to the application')
      : 'retry'
  })
  await deps.trustLog.requireStillStanding(person.barrier, person.dependencies.handles)
  return stored
}

function newApproval(
  { random, trustLog }: ConsentApprovalDeps,
  { id, orgId, dependencies, barrier: { now } }: Person,
  { request, because, words, clientHandles }: NeededApproval,
): Approval {
  return {
    id: newId(random, 'apr'),
    from: id,
    fromOrg: orgId,
    to: orgId,
    toOrg: orgId,
    because: [...because],
    request,
    digest: digestOfConsent(request),
    purpose: 'A person asks to let an application act for them.',
    words: [...words],
    risk: { level: 'unknown', score: null, parts: [] },
    state: 'pending',
    dependsOn: [trustLog.epoch, ...identitiesOf(dependencies.handles).filter((handle) => /^(?:mem|org):/.test(handle)), ...clientHandles],
    revision: 0,
    changedAt: now,
    createdAt: now,
    expiresAt: now + PENDING_SECONDS,
    purgeAt: now + PENDING_SECONDS + RETENTION_SECONDS,
  }
}
