import { signBinding } from '../../credentials/jose/binding-token.js'
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import { type ApprovalReason, BINDING_SECONDS, type TokenRequest } from '../../protocol/approvals/token-request.js'
import { type ApprovalId, newId } from '../../protocol/ids.js'
import type { Barrier } from '../../protocol/standing.js'
import type { KeyRing } from '../../signing-keys/key-ring.js'
import type { Operation } from '../../storage/storage.js'
import { type ApprovalStateDeps, digestOf, stateOf } from './approval.js'
import type { Approval, ApprovalsStore } from './store.js'

export interface RequireApprovalDeps extends ApprovalStateDeps {
  readonly approvals: ApprovalsStore
  readonly keyRing: KeyRing
  readonly random: Random
  readonly issuer: string
}

interface Requirement {
  readonly request: TokenRequest
  /** Why the token needs an approval; empty if it needs none. */
  readonly because: readonly ApprovalReason[]
  /** The approval that the client sent. */
  readonly approvalId: ApprovalId | undefined
  /** Names the request, which may be decided twice. */
  readonly attempt: string
}

/** An approval that a token request takes. */
export interface TakenApproval {
  readonly id: ApprovalId
  /** For the commit of the token: fails if another request has taken the approval. */
  readonly taking: Operation
}

/**
 * The approval for a token, if it needs one or the client sent one. Without one the request is refused, which writes nothing: the refusal carries a
 * binding token, with which the client can ask for the approval.
 */
export async function requireApproval(
  deps: RequireApprovalDeps,
  { now }: Barrier,
  { request, because, approvalId, attempt }: Requirement,
): Promise<TakenApproval | undefined> {
  if (approvalId !== undefined) return takenApproval(deps, { request, because, approvalId, attempt }, now)
  return because.length === 0 ? undefined : refuseUnapproved(deps, { request, because }, now)
}

async function takenApproval(
  deps: RequireApprovalDeps,
  { request, because, approvalId, attempt }: Requirement & { readonly approvalId: ApprovalId },
  now: number,
): Promise<TakenApproval> {
  const { approvals } = deps
  const approval = await approvals.get(approvalId)
  if (approval?.from !== request.from) return refuse('conflict', 'approval_id: you have requested no such approval')
  // A decision that took too long is made again for the same HTTP request, whose first token was not sent
  const isRepeated = approval.state === 'used' && approval.usedBy === attempt
  const state = await stateOf(deps, isRepeated ? { ...approval, state: 'approved' } : approval, now)
  if (state !== 'approved') return refuse('conflict', `approval_id: ${WHY_NOT[state]}`)
  if (approval.digest !== digestOf(request))
    return refuse(
      'conflict',
      'approval_id: it was given for another token request; send exactly what `approved` of approvals.get lists, with the same key',
    )
  if (!because.every((reason) => approval.because.includes(reason)))
    return refuse('conflict', 'approval_id: the token needs an approval for a further reason by now; ask for another one')
  const { digest, revision } = approval
  return {
    id: approvalId,
    taking: approvals.changing(
      approvalId,
      { state: approval.state, digest, revision },
      { state: 'used', usedBy: attempt, revision: revision + 1, changedAt: Math.max(now, approval.changedAt) },
    ),
  }
}

const WHY_NOT: Readonly<Record<Exclude<Approval['state'], 'approved'>, string>> = {
  pending: 'nobody has decided it yet; wait for the decision (approvals.get, approvals.watch)',
  denied: 'it was denied',
  expired: 'it has expired; ask for another one',
  cancelled: 'it was cancelled or withdrawn, its requester or approver was revoked, or its approver may no longer decide',
  used: 'it has been used; ask for another one',
}

async function refuseUnapproved(
  { keyRing, random, issuer }: RequireApprovalDeps,
  { request, because }: Pick<Requirement, 'request' | 'because'>,
  now: number,
): Promise<never> {
  const expiresAt = now + BINDING_SECONDS
  const claims = {
    iss: issuer,
    aud: issuer,
    iat: now,
    exp: expiresAt,
    sub: request.from,
    jti: newId(random, 'apr'),
    because: [...because],
    request,
    digest: digestOf(request),
  }
  const bindingToken = await signBinding(claims, await keyRing.signer('token'))
  if (bindingToken === undefined)
    return refuse(
      'invalid_request',
      'the token needs an approval, and names too much for one: request fewer scopes, tools, resources or delegation rights',
    )
  return refuse(
    'approval_required',
    'the token needs an approval: call approvals.request with `binding_token`, wait for the decision, and repeat this request with `approval_id`',
    { accessRequest: { endpoint: `${issuer}/trpc/approvals.request`, bindingToken, expiresAt } },
  )
}
