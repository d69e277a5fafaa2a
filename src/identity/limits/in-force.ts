import type { Clock } from '../../lib/clock.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Client } from '../clients/client.js'
import { type Limits, narrowed } from './limits.js'
import type { LimitsStore } from './store.js'

/** An instance notices limits that another one set after at most this time. */
const CACHE_MS = 1000
/** Past this number of organisations, the one that was read first is dropped. */
const MAX_CACHED = 16_384

export interface LimitsInForce {
  /** The limits of an organisation, at most CACHE_MS old. */
  ofOrganisation(orgId: OrgId): Promise<Limits>
  /** The limits of a client. Members keep the configured maximum, so narrow limits never keep an administrator from widening them. */
  ofClient(client: Pick<Client, 'kind' | 'orgId'>): Promise<Limits>
  /** The limits that an administrator may set at most. */
  operatorMaximum(orgId: OrgId): Promise<Limits>
  /** The limits that the operator may set at most. */
  readonly configured: Limits
  /** Call after a change. */
  forget(orgId: OrgId): void
}

interface LimitsDeps {
  readonly limitsStore: LimitsStore
  readonly clock: Pick<Clock, 'monotonicMs'>
}

export function newLimitsInForce({ limitsStore, clock }: LimitsDeps, configured: Limits): LimitsInForce {
  const cache = new Map<OrgId, { readonly limits: Promise<Limits>; readonly readAtMs: number }>()
  const read = async (orgId: OrgId): Promise<Limits> => {
    const stored = await limitsStore.get(orgId)
    return stored ? narrowed(narrowed(configured, stored.byOperator), stored.byAdministrator) : configured
  }
  const ofOrganisation = async (orgId: OrgId): Promise<Limits> => {
    const cached = cache.get(orgId)
    if (cached && clock.monotonicMs() - cached.readAtMs < CACHE_MS) return cached.limits
    cache.delete(orgId)
    const limits = read(orgId)
    cache.set(orgId, { limits, readAtMs: clock.monotonicMs() })
    limits.catch(() => cache.delete(orgId))
    const [first] = cache.keys()
    if (cache.size > MAX_CACHED && first !== undefined) cache.delete(first)
    return limits
  }
  return {
    ofOrganisation,
    ofClient: async ({ kind, orgId }) => (kind === 'member' ? configured : ofOrganisation(orgId)),
    operatorMaximum: async (orgId) => narrowed(configured, (await limitsStore.get(orgId))?.byOperator ?? {}),
    configured,
    forget: (orgId) => cache.delete(orgId),
  }
}
