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

/** How an approver narrows what was asked for; absent: as asked. `delegation: null` gives no right to pass on. */
export interface Narrowing {
  readonly scopes?: readonly Scope[] | undefined
  readonly tools?: readonly string[] | undefined
  readonly resources?: readonly string[] | undefined
  readonly delegation?: Delegation | null | undefined
  readonly seconds?: number | undefined
}

/** What was asked for, no wider than the approver says and the card lists. */
export function narrowed(asked: Bounds, narrowing: Narrowing, listed: readonly Scope[]): Bounds {
  const scopes = narrowing.scopes ? intersectNames(asked.scopes, narrowing.scopes) : asked.scopes
  const within = scopes.filter((scope) => coveredBySome(listed, scope))
  if (within.length === 0) return refuse('invalid_scope', 'nothing would be granted: no scope is left')
  const tools = narrowNames(asked.tools, narrowing.tools)
  const resources = narrowNames(asked.resources, narrowing.resources)
  requireFewNames(within, tools, resources)
  const delegation = narrowedDelegation(asked.delegation, narrowing.delegation)
  return {
    scopes: within,
    ...(tools && { tools: [...tools] }),
    ...(resources && { resources: [...resources] }),
    ...(delegation && { delegation }),
  }
}

function narrowedDelegation(asked: Delegation | undefined, narrowing: Delegation | null | undefined): Delegation | undefined {
  if (asked === undefined || narrowing === null) return undefined
  if (narrowing === undefined) return asked
  const rights = narrowing.rights.filter((right) => coversRight(asked.rights, right))
  return rights.length === 0 ? undefined : { depth: Math.min(asked.depth, narrowing.depth), rights }
}

/** Two lists of which each names parts of what the other names whole are together longer than either: refused, never cut. */
export function requireFewNames(...lists: readonly (readonly string[] | undefined)[]): void {
  if (lists.some((names) => names !== undefined && names.length > MAX_NAMES))
    refuse('invalid_scope', `more than ${MAX_NAMES} names would be given: ask for fewer, by name`)
}
