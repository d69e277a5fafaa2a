import { refuse } from '../../../errors.js'
import {
  type Bounds,
  coveredBySome,
  coversRight,
  type Delegation,
  intersectNames,
  MAX_NAMES,
  narrowNames,
  type Scope,
} from '../../../protocol/rights.js'

/**
 * How an approver narrows a request. An absent field leaves that part as requested; `delegation: null` grants no delegation.
 */
export interface Narrowing {
  readonly scopes?: readonly Scope[] | undefined
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly delegation?: Delegation | null | undefined
  readonly seconds?: number | undefined
}

/** The requested bounds, limited to the approver's narrowing and to the scopes that the card lists. */
export function narrowBounds(requested: Bounds, narrowing: Narrowing, listed: readonly Scope[]): Bounds {
  const scopes = narrowing.scopes ? intersectNames(requested.scopes, narrowing.scopes) : requested.scopes
  const within = scopes.filter((scope) => coveredBySome(listed, scope))
  if (within.length === 0) return refuse('invalid_scope', 'no requested scope remains: it is narrowed away, or the card no longer lists it')
  const tools = narrowNames(requested.tools, narrowing.tools)
  const resources = narrowNames(requested.resources, narrowing.resources)
  requireMaxNames(within, tools, resources)
  const delegation = narrowedDelegation(requested.delegation, narrowing.delegation)
  return {
    scopes: within,
    ...(tools && { tools: [...tools] }),
    ...(resources && { resources: [...resources] }),
    ...(delegation && { delegation }),
  }
}

/** True if a narrowing left everything: its names may have another order. */
export const areSameBounds = (a: Bounds, b: Bounds): boolean => textOf(a) === textOf(b)

const textOf = ({ scopes, tools, resources, delegation }: Bounds): string =>
  JSON.stringify([
    [...scopes].sort(),
    tools && [...tools].sort(),
    resources && [...resources].sort(),
    delegation && [delegation.depth, delegation.rights.map((right) => JSON.stringify([right.audience, right.scope])).sort()],
  ])

function narrowedDelegation(requested: Delegation | undefined, narrowing: Delegation | null | undefined): Delegation | undefined {
  if (requested === undefined || narrowing === null) return undefined
  if (narrowing === undefined) return requested
  const rights = narrowing.rights.filter((right) => coversRight(requested.rights, right))
  return rights.length === 0 ? undefined : { depth: Math.min(requested.depth, narrowing.depth), rights }
}

/**
 * The intersection of two lists can be longer than either, because one name may cover several names of the other list. More than
 * MAX_NAMES are refused.
 */
export function requireMaxNames(...lists: readonly (readonly string[] | undefined)[]): void {
  if (lists.some((names) => names !== undefined && names.length > MAX_NAMES))
    refuse('invalid_scope', `more than ${MAX_NAMES} names would be granted: request fewer of them, by name`)
}
