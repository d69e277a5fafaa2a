import { digestOfJson } from '../../credentials/jose/digest.js'
import { type InviterDeps, isAdminOf, isStillAuthorised, type Principal } from '../../http/caller.js'
import type { ApprovalReason, TokenRequest } from '../../protocol/approvals/token-request.js'
import { TargetId } from '../../protocol/ids.js'
import type { Bounds, Delegation, Scope } from '../../protocol/rights.js'
import { type Barrier, stands } from '../../protocol/standing.js'
import type { Ended } from '../../trust-log/trust-log.js'
import { isTarget as isTargetOfIntroduction, type SideDeps } from '../introductions/introduction.js'
import { scopesTouchedBy } from '../resources/granted-scopes.js'
import type { Resource } from '../resources/store.js'
import type { Approval, ConsentRequest } from './store.js'

/** An approval that is not used within this time after it was given expires. A person needs longer to come back than a program. */
export const APPROVED_SECONDS = 3600
export const APPROVED_CONSENT_SECONDS = 7 * 86_400
/** Maximum number of pending approvals of one requester. */
export const MAX_PENDING = 20
/** An approval can be read for this long after it has expired or was decided. */
export const RETENTION_SECONDS = 30 * 86_400

/** Digest of a token request. The order of names has no meaning. */
export const digestOf = ({ bounds, ...request }: TokenRequest): string => digestOfJson({ ...request, bounds: sortedBounds(bounds) })

/** Digest of what a person wants to allow. The order of names and audiences, and the name of the client, have no meaning. */
export const digestOfConsent = ({ clientId, rights, taskId }: ConsentRequest): string =>
  digestOfJson({
    clientId,
    rights: rights
      .map(({ audience, bounds }) => ({ audience, bounds: sortedBounds(bounds) }))
      .sort((one, other) => (one.audience < other.audience ? -1 : 1)),
    ...(taskId && { taskId }),
  })

function sortedBounds({ scopes, tools, resources, delegation }: Bounds) {
  const sorted = (names: readonly string[]) => [...names].sort()
  return {
    scopes: sorted(scopes),
    ...(tools && { tools: sorted(tools) }),
    ...(resources && { resources: sorted(resources) }),
    ...(delegation && { delegation }),
  }
}

const scopesToApprove = (resource: Pick<Resource, 'scopes'>, granted: readonly Scope[]) =>
  scopesTouchedBy(resource, granted).filter(({ approval }) => approval === 'organisation')

/** Why a token needs an approval. Empty: it needs none. */
export const reasonsFor = (
  resource: Pick<Resource, 'scopes'> | undefined,
  granted: readonly Scope[],
  { delegation, isBeyondPolicy }: { readonly delegation: Delegation | undefined; readonly isBeyondPolicy: boolean },
): readonly ApprovalReason[] => [
  ...(resource && scopesToApprove(resource, granted).length > 0 ? (['scope'] as const) : []),
  ...(delegation && isBeyondPolicy ? (['delegation'] as const) : []),
]

export interface ApprovalStateDeps extends SideDeps, InviterDeps {
  readonly trustLog: { readonly ended: Ended }
}

/** True if the client may decide for the target. About a consent, only administrators of the person's organisation decide. */
export const isTarget = async (deps: SideDeps, client: Principal & { readonly id: string }, { to, toOrg }: Approval): Promise<boolean> => {
  const target = TargetId.safeParse(to)
  return target.success ? isTargetOfIntroduction(deps, client, { to: target.data, toOrg }) : isAdminOf(client, toOrg)
}

/** The state is derived: the clock, the ended set, and what its approver may decide now, say whether an approval still counts. */
export async function stateOf(deps: ApprovalStateDeps, approval: Approval, now: Barrier['now']): Promise<Approval['state']> {
  const { state, expiresAt, dependsOn, decidedBy } = approval
  if (state !== 'pending' && state !== 'approved') return state
  if (expiresAt <= now) return 'expired'
  if (!stands(deps.trustLog.ended, dependsOn)) return 'cancelled'
  if (state === 'pending') return state
  const mayStill = decidedBy && (await isStillAuthorised(deps, decidedBy, (one) => isTarget(deps, { ...one, id: decidedBy }, approval)))
  return mayStill ? state : 'cancelled'
}
