import { refuse } from '../errors.js'
import type { TaskId } from '../protocol/ids.js'
import { TASK_BINDING_SECONDS } from '../protocol/task-binding.js'

/** Where used proofs are remembered. One atomic call; it must survive a restart, and replicas of a callee share it. */
export interface ReplayStore {
  /** True the first time; the name is kept until `expiresAt` (epoch seconds). */
  spend(name: string, expiresAt: number): Promise<boolean>
}

/** What began an A2A task or context: the Credence task with its ancestors, or where there is none whom it was for. */
export interface TaskBinding {
  readonly taskId?: TaskId | undefined
  readonly ancestors: readonly string[]
  readonly sub: string
}

/** Which Credence task an A2A task or context belongs to. The first tie of an id stays, until nobody has used it for `TIE_SECONDS`. */
export interface TaskBindingStore {
  tie(id: string, tie: TaskBinding): Promise<TaskBinding>
  find(id: string): Promise<TaskBinding | undefined>
}

export interface MemoryBounds {
  /** More used proofs than this are not served: none may be forgotten early. */
  readonly maxSpent?: number
  /** More ties than this, and the one that was not used for longest goes: its task is then nobody's. */
  readonly maxTies?: number
}

const MAX_SPENT = 1_000_000
const MAX_TIES = 100_000
const SWEEP_SECONDS = 60

/** For one process, and gone with it: development, and callees without state of their own. */
export function memoryStores(
  clock: { now(): number },
  { maxSpent = MAX_SPENT, maxTies = MAX_TIES }: MemoryBounds = {},
): { readonly replay: ReplayStore; readonly ties: TaskBindingStore } {
  return { replay: memoryReplay(clock, maxSpent), ties: memoryTies(clock, maxTies) }
}

function memoryReplay(clock: { now(): number }, maxSpent: number): ReplayStore {
  const spent = new Map<string, number>()
  let sweptAt = clock.now()
  const sweep = () => {
    if (clock.now() - sweptAt < SWEEP_SECONDS) return
    sweptAt = clock.now()
    for (const [name, expiresAt] of spent) if (expiresAt <= sweptAt) spent.delete(name)
  }
  return {
    spend: async (name, expiresAt) => {
      sweep()
      if (spent.has(name)) return false
      if (spent.size >= maxSpent) refuse('unavailable', 'too many proofs are remembered', { retryAfterSeconds: SWEEP_SECONDS })
      spent.set(name, expiresAt)
      return true
    },
  }
}

function memoryTies(clock: { now(): number }, maxTies: number): TaskBindingStore {
  /** In the order of their last use, so what is too old stands in front. */
  const ties = new Map<string, { readonly tie: TaskBinding; readonly expiresAt: number }>()
  const use = (id: string, tie: TaskBinding): TaskBinding => {
    ties.delete(id)
    ties.set(id, { tie, expiresAt: clock.now() + TASK_BINDING_SECONDS })
    return tie
  }
  const forget = () => {
    for (const [id, { expiresAt }] of ties) {
      if (expiresAt > clock.now() && ties.size <= maxTies) return
      ties.delete(id)
    }
  }
  const find = (id: string): TaskBinding | undefined => {
    forget()
    const known = ties.get(id)
    return known && use(id, known.tie)
  }
  return {
    tie: async (id, tie) => {
      const held = find(id) ?? use(id, tie)
      forget()
      return held
    },
    find: async (id) => find(id),
  }
}
