import { z } from 'zod'
import { type Fault, refuse } from '../../errors.js'
import type { TaskId } from '../../protocol/ids.js'

const Amount = z.int().min(1).max(1_000_000_000)

/** Limit on the tokens of a task and its child tasks: the number of calls, and their cost in units. A call costs as many units as its scope. */
export const Budget = z.strictObject({ calls: Amount.optional(), units: Amount.optional() })
export type Budget = z.infer<typeof Budget>

export const BudgetInput = Budget.refine(
  ({ calls, units }) => calls !== undefined || units !== undefined,
  'must limit calls, units or both',
)

/** The task of a budget. */
export interface BudgetedTask {
  readonly id: TaskId
  readonly budget: Budget
  readonly deadline: number
}

export interface Amounts {
  readonly calls: number
  readonly units: number
}

/** A limit on calls for a token whose request names none. */
const DEFAULT_MAX_CALLS = 25

/** Refuses a budget of a child task that exceeds that of an ancestor. */
export function requireWithinBudgets({ calls, units }: Budget, ancestors: readonly { readonly budget?: Budget | undefined }[]): void {
  const faults = (
    [
      ['calls', calls],
      ['units', units],
    ] as const
  ).flatMap(([kind, amount]): Fault[] => {
    const most = leastOf(ancestors.flatMap(({ budget }) => budget?.[kind] ?? []))
    return amount === undefined || amount <= most
      ? []
      : [{ pointer: `/budget/${kind}`, hint: `a parent task has ${most}: send at most that` }]
  })
  if (faults.length > 0) refuse('bad_input', 'the budget exceeds that of a parent task', { faults })
}

/** True if the number of calls with a token must be limited: the budgets limit calls, or units and a call costs some. */
export const needsMaxCalls = (budgets: readonly BudgetedTask[], cost: number): boolean =>
  budgets.some(({ budget }) => budget.calls !== undefined || (budget.units !== undefined && cost > 0))

/**
 * The number of calls of a token: the requested one, or else DEFAULT_MAX_CALLS, a quarter of the limits or what is left, whichever is least. The quarter
 * leaves room for further tokens of a small budget, such as one with more scopes. Undefined if too little is left.
 */
export function maxCallsWithin(
  { limits, left }: { readonly limits: Partial<Amounts>; readonly left: Partial<Amounts> },
  cost: number,
  requested: number | undefined,
): number | undefined {
  const most = callsWithin(left, cost)
  const maxCalls = requested ?? Math.min(DEFAULT_MAX_CALLS, Math.ceil(callsWithin(limits, cost) / 4), most)
  return maxCalls >= 1 && maxCalls <= most ? maxCalls : undefined
}

const callsWithin = ({ calls = Number.POSITIVE_INFINITY, units = Number.POSITIVE_INFINITY }: Partial<Amounts>, cost: number): number =>
  Math.min(calls, cost === 0 ? Number.POSITIVE_INFINITY : Math.floor(units / cost))

const leastOf = (amounts: readonly number[]): number => Math.min(Number.POSITIVE_INFINITY, ...amounts)

/** The tightest limits of budgets. An amount that none limits is absent. */
export function limitsOf(budgets: readonly { readonly budget: Budget }[]): Partial<Amounts> {
  const [calls, units] = (['calls', 'units'] as const).map((kind) => leastOf(budgets.flatMap(({ budget }) => budget[kind] ?? [])))
  return { ...(Number.isFinite(calls) && { calls }), ...(Number.isFinite(units) && { units }) }
}
