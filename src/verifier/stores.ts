import { refuse } from '../errors.js'
import type { TaskId } from '../protocol/ids.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import { TASK_BINDING_SECONDS } from '../protocol/task-binding.js'

/** Records used DPoP proofs, and the number of calls with tokens that limit it. The store must survive a restart and be shared by all replicas of a resource server. */
export interface ReplayStore {
  /**
   * One atomic operation. Returns true if the name is new and stores it until `expiresAt` (epoch seconds); returns false for a stored
   * name. A name is the thumbprint of the proof's key, a space, and the `jti`.
   */
  consume(name: string, expiresAt: number): Promise<boolean>
  /**
   * One atomic operation. Adds a call to the counter with this name and returns the sum. If it is `limit` already, adds nothing and returns undefined. The
   * counter may be forgotten at `expiresAt` (epoch seconds). A name is the `jti` of a token. Needed for tokens with a limit on calls.
   */
  count?(name: string, limit: number, expiresAt: number): Promise<number | undefined>
}

/** The Credence task, with its ancestors, for which an A2A task or context was started, and the subject that started it. */
export interface TaskBinding {
  readonly taskId?: TaskId | undefined
  readonly ancestors: readonly string[]
  readonly sub: string
}

/** Maps A2A tasks and contexts to Credence tasks. A binding is removed when it has not been used for TASK_BINDING_SECONDS. */
export interface TaskBindingStore {
  /** One atomic operation. Stores the binding unless the id already has one, and returns the stored binding. Counts as use. */
  bind(id: string, binding: TaskBinding): Promise<TaskBinding>
  /** Does not count as use, because the caller may not be the one of the binding. */
  find(id: string): Promise<TaskBinding | undefined>
}

interface MemoryBounds {
  /**
   * Maximum number of used proofs in memory, and of tokens whose calls are counted; a proof that was forgotten early could be replayed. A key may hold at most as many as are
   * still free, so one caller gets half, and a newcomer always finds room. A caller past its share gets 429.
   */
  readonly maxProofs?: number
  /**
   * Maximum number of task bindings in memory. Beyond it, the least recently used is removed, and its A2A task can no longer be reached.
   */
  readonly maxBindings?: number
}

const MEMORY_BOUNDS: OptionNames<MemoryBounds> = { maxProofs: true, maxBindings: true }

const MAX_PROOFS = 1_000_000
const MAX_BINDINGS = 100_000
const SWEEP_SECONDS = 60

/** Stores in the memory of this process, for development and for resource servers without state of their own. */
export function memoryStores(
  clock: { now(): number },
  bounds: MemoryBounds = {},
): { readonly replay: ReplayStore; readonly taskBindings: TaskBindingStore } {
  requireOptions('memoryStores', bounds, MEMORY_BOUNDS)
  const { maxProofs = MAX_PROOFS, maxBindings = MAX_BINDINGS } = bounds
  return { replay: replayInMemory(clock, maxProofs), taskBindings: taskBindingsInMemory(clock, maxBindings) }
}

function replayInMemory(clock: { now(): number }, maxProofs: number): ReplayStore {
  const consumed = new Map<string, number>()
  /** Number of stored proofs of each key. */
  const counts = new Map<string, number>()
  const count = (name: string, change: 1 | -1) => {
    const held = (counts.get(keyOf(name)) ?? 0) + change
    if (held === 0) counts.delete(keyOf(name))
    else counts.set(keyOf(name), held)
  }
  /** Number of calls with each token that limits it, for at most as many tokens as there may be proofs. */
  const calls = new Map<string, { readonly sum: number; readonly expiresAt: number }>()
  let sweptAt = clock.now()
  const sweep = () => {
    if (clock.now() - sweptAt < SWEEP_SECONDS) return
    sweptAt = clock.now()
    for (const [name, { expiresAt }] of calls) if (expiresAt <= sweptAt) calls.delete(name)
    for (const [name, expiresAt] of consumed) {
      if (expiresAt > sweptAt) continue
      consumed.delete(name)
      count(name, -1)
    }
  }
  return {
    consume: async (name, expiresAt) => {
      sweep()
      if (consumed.has(name)) return false
      const free = maxProofs - consumed.size
      if ((counts.get(keyOf(name)) ?? 0) >= free)
        refuse(
          free > 0 ? 'rate_limited' : 'unavailable',
          'this server has reached its limit of stored DPoP proofs for this caller; send fewer requests',
          { retryAfterSeconds: SWEEP_SECONDS },
        )
      consumed.set(name, expiresAt)
      count(name, 1)
      return true
    },
    count: async (name, limit, expiresAt) => {
      sweep()
      const sum = (calls.get(name)?.sum ?? 0) + 1
      if (sum > limit) return undefined
      if (calls.size >= maxProofs && !calls.has(name))
        refuse('unavailable', 'this server counts the calls of too many tokens', { retryAfterSeconds: SWEEP_SECONDS })
      calls.set(name, { sum, expiresAt })
      return sum
    },
  }
}

const keyOf = (name: string): string => name.split(' ', 1)[0] ?? ''

function taskBindingsInMemory(clock: { now(): number }, maxBindings: number): TaskBindingStore {
  /** Ordered by last use, so the first entry expires first. */
  const entries = new Map<string, { readonly binding: TaskBinding; readonly expiresAt: number }>()
  const use = (id: string, binding: TaskBinding): TaskBinding => {
    entries.delete(id)
    entries.set(id, { binding, expiresAt: clock.now() + TASK_BINDING_SECONDS })
    return binding
  }
  const evict = () => {
    for (const [id, { expiresAt }] of entries) {
      if (expiresAt > clock.now() && entries.size <= maxBindings) return
      entries.delete(id)
    }
  }
  const find = (id: string): TaskBinding | undefined => {
    evict()
    return entries.get(id)?.binding
  }
  return {
    bind: async (id, binding) => {
      const stored = use(id, find(id) ?? binding)
      evict()
      return stored
    },
    find: async (id) => find(id),
  }
}
