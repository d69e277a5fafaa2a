import { refuse } from '../errors.js'
import type { TaskId } from '../protocol/ids.js'
import { TASK_BINDING_SECONDS } from '../protocol/task-binding.js'

/** Remembers used DPoP proofs. It must survive a restart, and all replicas of a resource server must share it. */
export interface ReplayStore {
  /** One atomic call: true the first time, false for a name that is stored. The name is stored until `expiresAt` (epoch seconds). */
  consume(name: string, expiresAt: number): Promise<boolean>
}

/** The Credence task, with its ancestors, that started an A2A task or context; without a task, the subject that did. */
export interface TaskBinding {
  readonly taskId?: TaskId | undefined
  readonly ancestors: readonly string[]
  readonly sub: string
}

/** Maps A2A tasks and contexts to Credence tasks. A binding is removed when it has not been used for TASK_BINDING_SECONDS. */
export interface TaskBindingStore {
  /** One atomic call: stores the binding unless the id has one, and returns the binding that is stored. */
  bind(id: string, binding: TaskBinding): Promise<TaskBinding>
  find(id: string): Promise<TaskBinding | undefined>
}

interface MemoryBounds {
  /** Used proofs in memory. Past it, requests are refused with 503: a proof that was forgotten early could be replayed. */
  readonly maxProofs?: number
  /** Task bindings in memory. Past it, the least recently used one is removed, and its A2A task can no longer be reached. */
  readonly maxBindings?: number
}

const MAX_PROOFS = 1_000_000
const MAX_BINDINGS = 100_000
const SWEEP_SECONDS = 60

/** Stores of one process, lost when it ends: for development, and for resource servers without state of their own. */
export function memoryStores(
  clock: { now(): number },
  { maxProofs = MAX_PROOFS, maxBindings = MAX_BINDINGS }: MemoryBounds = {},
): { readonly replay: ReplayStore; readonly taskBindings: TaskBindingStore } {
  return { replay: replayInMemory(clock, maxProofs), taskBindings: taskBindingsInMemory(clock, maxBindings) }
}

function replayInMemory(clock: { now(): number }, maxProofs: number): ReplayStore {
  const consumed = new Map<string, number>()
  let sweptAt = clock.now()
  const sweep = () => {
    if (clock.now() - sweptAt < SWEEP_SECONDS) return
    sweptAt = clock.now()
    for (const [name, expiresAt] of consumed) if (expiresAt <= sweptAt) consumed.delete(name)
  }
  return {
    consume: async (name, expiresAt) => {
      sweep()
      if (consumed.has(name)) return false
      if (consumed.size >= maxProofs)
        refuse('unavailable', 'this server has no memory left for used DPoP proofs; retry later', { retryAfterSeconds: SWEEP_SECONDS })
      consumed.set(name, expiresAt)
      return true
    },
  }
}

function taskBindingsInMemory(clock: { now(): number }, maxBindings: number): TaskBindingStore {
  /** In the order of last use: the first entry expires first. */
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
    const entry = entries.get(id)
    return entry && use(id, entry.binding)
  }
  return {
    bind: async (id, binding) => {
      const stored = find(id) ?? use(id, binding)
      evict()
      return stored
    },
    find: async (id) => find(id),
  }
}
