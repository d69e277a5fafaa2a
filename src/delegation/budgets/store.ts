// Counters of the budgets of tasks. Each limited amount has two: `taken`, the amount that is reserved or used, which never exceeds the limit; and
// `used`, the part of it that audiences have settled. The commit of a token reserves from the budgets of its task and of each ancestor
// (`taking`). The commit that settles the token returns the unused rest (`settling`).
// Cost: one counter per limited amount in the commit of a token. Tokens under one budget take turns at its counters.
import type { TaskId } from '../../protocol/ids.js'
import { counting, type Operation, type Storage } from '../../storage/storage.js'
import type { Amounts, BudgetedTask } from './budget.js'

/** Counters are kept this long after the deadline of their task, so that late settlements find them and people can read them. */
const COUNTER_RETENTION_SECONDS = 30 * 86_400

const KINDS = ['calls', 'units'] as const

const keyOf = (what: 'taken' | 'used', kind: keyof Amounts, id: TaskId): string => `budget ${kind} ${what} ${id}`
const expiryOf = ({ deadline }: BudgetedTask): number => deadline + COUNTER_RETENTION_SECONDS

/** Takes the amounts from each budget. The operations fail if one of the budgets has less left. */
export const taking = (budgets: readonly BudgetedTask[], amounts: Amounts): readonly Operation[] =>
  limited(budgets, (task, kind, limit) => counting(keyOf('taken', kind, task.id), amounts[kind], limit, expiryOf(task)), amounts)

/** Returns what was taken and not used. */
export const settling = (budgets: readonly BudgetedTask[], taken: Amounts, used: Amounts): readonly Operation[] => [
  ...limited(
    budgets,
    (task, kind) => counting(keyOf('taken', kind, task.id), used[kind] - taken[kind], Number.POSITIVE_INFINITY, expiryOf(task)),
    {
      calls: taken.calls - used.calls,
      units: taken.units - used.units,
    },
  ),
  ...limited(budgets, (task, kind) => counting(keyOf('used', kind, task.id), used[kind], Number.POSITIVE_INFINITY, expiryOf(task)), used),
]

/** An operation for each limited amount, except where the amount is 0. */
const limited = (
  budgets: readonly BudgetedTask[],
  operation: (task: BudgetedTask, kind: keyof Amounts, limit: number) => Operation,
  amounts: Amounts,
): readonly Operation[] =>
  budgets.flatMap((task) =>
    KINDS.flatMap((kind) => {
      const limit = task.budget[kind]
      return limit === undefined || amounts[kind] === 0 ? [] : [operation(task, kind, limit)]
    }),
  )

/** The amounts left in the tightest budget. An amount that no budget limits is absent. */
export async function readLeft(storage: Pick<Storage, 'count'>, budgets: readonly BudgetedTask[]): Promise<Partial<Amounts>> {
  const left: { calls?: number; units?: number } = {}
  for (const task of budgets)
    for (const kind of KINDS) {
      const limit = task.budget[kind]
      if (limit === undefined) continue
      const rest = limit - (await read(storage, 'taken', kind, task))
      left[kind] = Math.min(left[kind] ?? rest, rest)
    }
  return left
}

/** The use of a budget, as `tasks.get` shows it. */
export interface BudgetUse {
  /** Taken by tokens that their audiences have not settled. */
  readonly reserved: Partial<Amounts>
  /** Settled by audiences. */
  readonly used: Partial<Amounts>
}

/** Undefined once the counters may have expired. */
export async function readUse(storage: Pick<Storage, 'count'>, task: BudgetedTask, now: number): Promise<BudgetUse | undefined> {
  if (expiryOf(task) <= now) return undefined
  const [reserved, used]: [Partial<Record<keyof Amounts, number>>, Partial<Record<keyof Amounts, number>>] = [{}, {}]
  for (const kind of KINDS) {
    if (task.budget[kind] === undefined) continue
    const spent = await read(storage, 'used', kind, task)
    used[kind] = spent
    reserved[kind] = (await read(storage, 'taken', kind, task)) - spent
  }
  return { reserved, used }
}

/** Adding 0 reads a counter. */
const read = async (storage: Pick<Storage, 'count'>, what: 'taken' | 'used', kind: keyof Amounts, task: BudgetedTask): Promise<number> =>
  (await storage.count(keyOf(what, kind, task.id), 0, Number.POSITIVE_INFINITY, expiryOf(task))) ?? 0
