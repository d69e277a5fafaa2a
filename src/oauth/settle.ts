import type { Audit } from '../audit/audit.js'
import { auditDraft } from '../audit/audit-draft.js'
import { settling } from '../delegation/budgets/store.js'
import type { ResourcesStore } from '../delegation/resources/store.js'
import type { TasksStore } from '../delegation/tasks/store.js'
import { budgetsOf } from '../delegation/tasks/task-dependencies.js'
import { type Fault, refuse } from '../errors.js'
import type { Caller } from '../http/caller.js'
import type { TokenId } from '../protocol/ids.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import { endingOfToken } from './revoke.js'
import type { TokenRecord, TokensStore } from './store.js'
import { type AudienceDeps, isAudience } from './verification/find-token.js'

export interface SettleDeps extends AudienceDeps {
  readonly tokens: TokensStore
  readonly tasks: TasksStore
  readonly resources: Pick<ResourcesStore, 'find'>
  readonly trustLog: TrustLog
  readonly audit: Audit
}

/** Time after the expiry of a token in which its audience can settle it. */
const SETTLE_SECONDS = 3600

export interface Settlement {
  readonly tokenId: TokenId
  /** Calls that the audience has accepted. */
  readonly calls: number
  /** Default: what these calls cost. */
  readonly units?: number | undefined
}

/**
 * Returns what a token did not use of its `max_calls` to the budgets of its task and the parents. For the audience of the token, once, until SETTLE_SECONDS
 * after its expiry. A token that has not expired is revoked: otherwise it could use what was returned.
 */
export async function settleToken(deps: SettleDeps, caller: Caller, { tokenId, calls, units }: Settlement): Promise<Required<Settlement>> {
  const { now } = caller.barrier
  const token = await deps.tokens.get(tokenId)
  if (!token || !(await maySettle(deps, caller, token))) return refuse('not_found', 'no such token')
  const { maxCalls, callCost = 0 } = token
  if (maxCalls === undefined) return refuse('bad_input', 'the token does not limit calls, so there is nothing to settle')
  if (token.settledAt !== undefined) refuse('conflict', 'the token was settled before')
  if (now > token.expiresAt + SETTLE_SECONDS) refuse('conflict', 'the token expired more than an hour ago: all of its calls count as used')
  const taken = { calls: maxCalls, units: maxCalls * callCost }
  const used = { calls, units: units ?? calls * callCost }
  const faults = (['calls', 'units'] as const).flatMap((kind): Fault[] =>
    used[kind] > taken[kind] ? [{ pointer: `/${kind}`, hint: `the token was issued for ${taken[kind]}: send at most that` }] : [],
  )
  if (faults.length > 0) refuse('bad_input', 'more was used than the token was issued for', { faults })
  const tasks = await Promise.all(token.tasks.map((id) => deps.tasks.get(id)))
  const budgets = budgetsOf(tasks.filter((task) => task !== undefined))
  const ends = token.expiresAt > now ? [endingOfToken(token)] : []
  const draft = auditDraft(caller, 'tokens.settle', {
    otherOrgId: token.orgId,
    subject: tokenId,
    ...(token.taskId && { taskId: token.taskId }),
    facts: { ...used },
  })
  await deps.trustLog.end({
    type: 'token.revoked',
    ends,
    operations: [
      deps.tokens.changing(tokenId, { settledAt: null }, { settledAt: now, usedCalls: used.calls, usedUnits: used.units }),
      ...settling(budgets, taken, used),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'no_longer_needed' }),
    ],
  })
  return { tokenId, ...used }
}

/** The audience, and the operator agent of a resource that was frozen since the token was issued. */
async function maySettle(deps: SettleDeps, caller: Caller, token: TokenRecord): Promise<boolean> {
  if (await isAudience(deps, caller, { aud: token.audience, standing: token })) return true
  const { items } = await deps.resources.find('uri', { where: { uri: token.audience }, order: 'down', limit: 100 })
  return items.some(({ handle, operatorAgentId }) => operatorAgentId === caller.id && token.dependsOn.includes(handle))
}
