import { auditDraft } from '../../audit/audit-draft.js'
import { verifyBinding } from '../../credentials/jose/binding-token.js'
import type { KeysFor } from '../../credentials/jose/jwt.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { PairwiseIds } from '../../identity/people/pairwise.js'
import type { BindingClaims, TokenRequest } from '../../protocol/approvals/token-request.js'
import { handleOfRegistryKey } from '../../protocol/handles.js'
import { isResourceId } from '../../protocol/ids.js'
import { formatScope, intersectNames, type Scope } from '../../protocol/rights.js'
import { withNotifications } from '../inbox/post.js'
import { freeSlot } from '../introductions/decide/quota-slots.js'
import { PENDING_SECONDS } from '../introductions/introduction.js'
import type { IntroductionDeps } from '../introductions/introduction-deps.js'
import type { Profiles } from '../uses/find.js'
import { riskOf } from '../uses/risk.js'
import { type ApprovalStateDeps, MAX_PENDING, RETENTION_SECONDS, stateOf } from './approval.js'
import type { RequireApprovalDeps } from './require.js'
import type { Approval } from './store.js'
import { type ApprovalView, notifyingOf, viewOf } from './view.js'

export interface ApprovalDeps extends IntroductionDeps, Omit<RequireApprovalDeps, 'trustLog'> {
  readonly pairwiseIds: PairwiseIds
  readonly tokenKeys: KeysFor
  readonly profiles: Pick<Profiles, 'find'>
}

/**
 * Asks for the approval of a token request that was refused, with the binding token of the refusal. Asking again with the same binding token returns
 * the same approval.
 */
export async function requestApproval(
  deps: ApprovalDeps,
  caller: Caller,
  { bindingToken, purpose }: { readonly bindingToken: string; readonly purpose: string },
): Promise<ApprovalView> {
  const { now } = caller.barrier
  const { issuer, tokenKeys, trustLog } = deps
  if (caller.kind !== 'agent') refuse('forbidden', 'only the agent whose request was refused can ask for its approval')
  const { claims, kid } = await verifyBinding(bindingToken, tokenKeys, { issuer, clientId: caller.id, now })
  if (trustLog.ended.has(handleOfRegistryKey(kid))) refuse('bad_input', 'invalid binding token: the key that signed it was revoked')
  const known = await deps.approvals.get(claims.jti)
  if (known) return viewOf(deps, known, now)
  const approval = await newApproval(deps, caller, claims, purpose)
  const stored = await withNotifications(deps, async () => {
    const slot = await requireFreeSlot(deps, approval, now)
    const draft = auditDraft(caller, 'approvals.request', { subject: approval.id, otherOrgId: approval.toOrg })
    const committed = await deps.storage.commit([
      deps.approvals.inserting({ ...approval, slot }),
      deps.audit.recording(draft),
      ...(await notifyingOf(deps, approval, 'requested')),
    ])
    // Another request with this binding token, or one that took the slot, was first
    return committed.ok ? approval : ((await deps.approvals.get(approval.id)) ?? 'retry')
  })
  await trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return viewOf(deps, stored, now)
}

async function newApproval(deps: ApprovalDeps, caller: Caller, claims: BindingClaims, purpose: string): Promise<Approval> {
  const { now } = caller.barrier
  const { jti, because, request, digest } = claims
  const { from, to } = request
  const target = (await deps.findTarget(to)) ?? refuse('not_found', 'the audience of the token is not there any more')
  return {
    id: jti,
    from,
    fromOrg: caller.orgId,
    to,
    toOrg: target.orgId,
    because,
    request,
    digest,
    purpose,
    words: await wordsOf(deps, request),
    risk: await riskOfRequest(deps, request, now),
    state: 'pending',
    dependsOn: [deps.trustLog.epoch, ...caller.identities],
    revision: 0,
    changedAt: now,
    createdAt: now,
    expiresAt: now + PENDING_SECONDS,
    purgeAt: now + PENDING_SECONDS + RETENTION_SECONDS,
  }
}

async function wordsOf({ findResource }: ApprovalDeps, { to, bounds }: TokenRequest): Promise<Approval['words']> {
  const scopes = isResourceId(to) ? ((await findResource(to))?.resource.scopes ?? []) : []
  return scopes
    .filter(({ scope }) => intersectNames<Scope>([scope], bounds.scopes).length > 0)
    .map(({ scope, words }) => ({ scope, words }))
}

async function riskOfRequest({ profiles }: ApprovalDeps, request: TokenRequest, now: number): Promise<Approval['risk']> {
  const { from, audience, actors, bounds, taskId, jkt } = request
  const { level, score, parts } = riskOf(await profiles.find(from), {
    audience,
    scope: formatScope(bounds.scopes),
    taskId,
    tools: bounds.tools,
    actors,
    jkt,
    issuedAt: now,
  })
  return { level, score, parts: parts.map(({ code, weight }) => ({ code, weight })) }
}

/** Refuses a requester whose slots are all taken by approvals that are pending. Those that have expired or are void give theirs back. */
export async function requireFreeSlot(
  deps: ApprovalStateDeps & Pick<ApprovalDeps, 'approvals'>,
  { id, from }: { readonly id: string; readonly from: Approval['from'] },
  now: number,
): Promise<number> {
  const { approvals } = deps
  const { items } = await approvals.find('pending', { where: { from, state: 'pending' }, limit: 100 })
  const taken: (number | undefined)[] = []
  for (const one of items) {
    const state = await stateOf(deps, one, now)
    if (state === 'pending') taken.push(one.slot)
    else await approvals.change(one.id, { state: 'pending' }, { state, slot: undefined })
  }
  return (
    freeSlot(id, taken, MAX_PENDING) ??
    refuse('conflict', `${MAX_PENDING} of your approvals are pending, the maximum: cancel one (approvals.cancel) or wait for a decision`)
  )
}
