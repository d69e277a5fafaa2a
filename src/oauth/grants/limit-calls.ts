import { type Amounts, limitsOf, maxCallsWithin, needsMaxCalls } from '../../delegation/budgets/budget.js'
import { readLeft, taking } from '../../delegation/budgets/store.js'
import { scopesTouchedBy } from '../../delegation/resources/granted-scopes.js'
import type { TaskDependencies } from '../../delegation/tasks/task-dependencies.js'
import { refuse } from '../../errors.js'
import type { Scope } from '../../protocol/rights.js'
import type { Storage } from '../../storage/storage.js'
import type { CallLimit } from '../token-decision.js'
import type { Target } from './target.js'

interface LimitedRequest {
  /** The requested number of calls. */
  readonly maxCalls: number | undefined
  readonly target: Pick<Target, 'resource' | 'understands'>
  readonly scopes: readonly Scope[]
  readonly task?: TaskDependencies | undefined
}

/**
 * The limit on the calls with a token: the requested one, or one that the budgets of its task demand. Undefined without a limit.
 */
export async function limitCalls(
  { storage }: { readonly storage: Pick<Storage, 'count'> },
  { maxCalls, target, scopes, task }: LimitedRequest,
): Promise<CallLimit | undefined> {
  const budgets = task?.budgets ?? []
  const cost = Math.max(0, ...(target.resource ? scopesTouchedBy(target.resource, scopes) : []).map((scope) => scope.cost ?? 0))
  if (maxCalls === undefined && !needsMaxCalls(budgets, cost)) return undefined
  if (!target.understands.restrictions.includes('max_calls'))
    refuse(
      'invalid_target',
      'this audience does not count calls, so no token for it can limit them: its organisation can register that it does (`--understands max_calls`)',
    )
  const left = await readLeft(storage, budgets)
  const decided = maxCallsWithin({ limits: limitsOf(budgets), left }, cost, maxCalls) ?? refuseBeyond(left, cost)
  return { maxCalls: decided, cost, taking: taking(budgets, { calls: decided, units: decided * cost }) }
}

function refuseBeyond(available: Partial<Amounts>, cost: number): never {
  const { calls, units } = available
  const rest = [
    ...(calls === undefined ? [] : [`${calls} calls`]),
    ...(units === undefined ? [] : [`${units} units (a call costs ${cost})`]),
  ]
  return refuse('insufficient_budget', `the budget of the task or of a parent has ${rest.join(' and ')} left`, { available })
}
