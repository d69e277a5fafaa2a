import type { TaskId } from '../protocol/ids.js'

/** Where used proofs are remembered. One atomic call; it must survive a restart, and replicas of a callee share it. */
export interface ReplayStore {
  /** True the first time; the name is kept until `expiresAt` (epoch seconds). */
  spend(name: string, expiresAt: number): Promise<boolean>
}

/** What began an A2A task or context: the Credence task with its ancestors, or where there is none whom it was for. */
export interface Tie {
  readonly taskId?: TaskId | undefined
  readonly ancestors: readonly string[]
  readonly sub: string
}

/** Which Credence task an A2A task or context belongs to. The first tie of an id stays. */
export interface TieStore {
  tie(id: string, tie: Tie): Promise<Tie>
  find(id: string): Promise<Tie | undefined>
}

/** For one process, and gone with it: development, and callees without state of their own. */
export function memoryStores(clock: { now(): number }): { readonly replay: ReplayStore; readonly ties: TieStore } {
  const spent = new Map<string, number>()
  const ties = new Map<string, Tie>()
  let sweptAt = clock.now()
  const sweep = () => {
    if (clock.now() - sweptAt < 60) return
    sweptAt = clock.now()
    for (const [name, expiresAt] of spent) if (expiresAt <= sweptAt) spent.delete(name)
  }
  return {
    replay: {
      spend: async (name, expiresAt) => {
        sweep()
        if (spent.has(name)) return false
        spent.set(name, expiresAt)
        return true
      },
    },
    ties: {
      tie: async (id, tie) => {
        const known = ties.get(id)
        if (known) return known
        ties.set(id, tie)
        return tie
      },
      find: async (id) => ties.get(id),
    },
  }
}
