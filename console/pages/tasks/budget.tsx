import type { Output } from '../../api/procedures.js'
import { Section } from '../../ui/page.js'

type TaskBudget = NonNullable<Output<'tasks.get'>['budget']>

const KINDS = [
  ['calls', 'Calls'],
  ['units', 'Units (cost of the calls)'],
] as const

/** The budget of a task: what is used, reserved by active tokens, and left. */
export function Budget({ budget }: { readonly budget: TaskBudget | undefined }) {
  if (!budget) return null
  return (
    <Section title="Budget">
      {KINDS.map(([kind, label]) => {
        const limit = budget.limit[kind]
        return (
          limit !== undefined && (
            <Amount key={kind} label={label} limit={limit} used={budget.used?.[kind]} reserved={budget.reserved?.[kind]} />
          )
        )
      })}
      <p class="hint">
        The tokens of the child tasks count too. What a token has reserved and not used is returned when its audience settles it.
      </p>
    </Section>
  )
}

interface AmountProps {
  readonly label: string
  readonly limit: number
  /** Undefined once the registry keeps no counters of the task. */
  readonly used: number | undefined
  readonly reserved: number | undefined
}

function Amount({ label, limit, used, reserved }: AmountProps) {
  if (used === undefined || reserved === undefined)
    return (
      <p>
        {label}: limit {limit}. The counters of this task are no longer kept.
      </p>
    )
  const percent = (amount: number) => `${Math.min(100, (100 * amount) / limit)}%`
  return (
    <>
      <p>
        {label}: {used} used, {reserved} reserved, {Math.max(0, limit - used - reserved)} left of {limit}
      </p>
      {/* The text above says the same */}
      <div class="bar" aria-hidden="true">
        <span class="used" style={{ width: percent(used) }} />
        <span class="reserved" style={{ width: percent(reserved) }} />
      </div>
    </>
  )
}
