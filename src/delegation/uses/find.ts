import { BoundedMap } from '../../lib/bounded-map.js'
import type { Clock } from '../../lib/clock.js'
import type { RiskLevel } from '../../protocol/claims.js'
import { type ActorId, AgentId, type TaskId } from '../../protocol/ids.js'
import type { ProfiledToken } from './profile.js'
import { riskOf } from './risk.js'
import { type AgentProfile, type Used, type UsesStore, useId } from './store.js'

export interface UseView {
  readonly uses: number
  /** Epoch seconds. Absent before the first use was counted. */
  readonly lastUsedAt?: number | undefined
}

/** Uses that were counted. The last minute and a half may be missing. */
export async function findUses(
  { uses }: { readonly uses: UsesStore },
  used: Used,
): Promise<UseView & { readonly tasks: readonly TaskId[] }> {
  const record = await uses.records.get(useId(used))
  return { uses: record?.count ?? 0, lastUsedAt: record?.lastUsedAt, tasks: record?.tasks ?? [] }
}

/** Finds profiles of clients, each at most REREAD_MS old: the token endpoint reads a profile at most that often. */
export interface Profiles {
  find(id: ActorId): Promise<AgentProfile | undefined>
  /** The risk of a token that is about to be issued to an agent. Other clients have no profile. */
  riskLevelOf(id: ActorId, token: ProfiledToken): Promise<RiskLevel | undefined>
}

const REREAD_MS = 60_000
const MAX_PROFILES = 1000

export function newProfiles({ uses, clock }: { readonly uses: UsesStore; readonly clock: Pick<Clock, 'monotonicMs'> }): Profiles {
  const known = new BoundedMap<AgentId, { readonly readAtMs: number; readonly profile: Promise<AgentProfile | undefined> }>(MAX_PROFILES)
  const find = async (id: ActorId): Promise<AgentProfile | undefined> => {
    const agent = AgentId.safeParse(id)
    if (!agent.success) return undefined
    const cached = known.get(agent.data)
    if (cached && clock.monotonicMs() - cached.readAtMs < REREAD_MS) return cached.profile
    const profile = uses.profiles.get(agent.data)
    known.set(agent.data, { readAtMs: clock.monotonicMs(), profile })
    // A failed read is not cached
    return profile.catch((error: unknown) => {
      known.set(agent.data, { readAtMs: Number.NEGATIVE_INFINITY, profile })
      throw error
    })
  }
  return {
    find,
    riskLevelOf: async (id, token) => (AgentId.safeParse(id).success ? riskOf(await find(id), token).level : undefined),
  }
}
