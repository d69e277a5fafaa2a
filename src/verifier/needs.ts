import { refuse } from '../errors.js'
import type { AccessTokenClaims } from '../protocol/claims.js'
import { isPlainName } from '../protocol/names.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import { coveredBySome, parseScope } from '../protocol/rights.js'

/** The rights that a request requires of its token. */
export interface Needs {
  readonly scope?: string
  readonly tool?: string
  readonly resource?: string
}

export const NEEDS: OptionNames<Needs> = { scope: true, tool: true, resource: true }

/** The rights that a guard requires, or `any` for a guard that accepts every valid token, because a later one requires the rights. */
export type GuardNeeds = Needs | 'any'

/** Checks the needs of a guard when it is created: a missing or misspelt name would let every valid token in. */
export function parseNeeds(needs: GuardNeeds, where: string): Needs {
  if (needs === 'any') return {}
  requireOptions(`${where}: needs`, needs, NEEDS)
  if (!Object.values(needs).some((value) => typeof value === 'string' && value !== ''))
    refuse('bad_input', `${where}: needs must name a scope, tool or resource, or be 'any' to accept every valid token`)
  return needs
}

/** Refuses a token without the scope, tool or resource, and a tool or resource whose name is not plain. A token without a list of tools or resources is not restricted in them. */
export function requireNeeds(claims: AccessTokenClaims, { scope, tool, resource }: Needs): void {
  const scopes = parseScope(claims.scope) ?? []
  if (scope !== undefined && !coveredBySome(scopes, scope))
    refuse('insufficient_scope', `this request requires the scope ${scope}`, { scopes: [...scopes, scope] })
  // Also for a token that is not restricted: the server would normalise the name to that of another tool or resource.
  for (const name of [tool, resource])
    if (name !== undefined && !isPlainName(name))
      refuse('insufficient_scope', 'the tool or resource that this request requires is not a plain name, so no token allows it')
  if (tool !== undefined && claims.allowed_tools && !coveredBySome(claims.allowed_tools, tool))
    refuse('insufficient_scope', `the token does not allow the tool ${tool}`)
  if (resource !== undefined && claims.allowed_resources && !coveredBySome(claims.allowed_resources, resource))
    refuse('insufficient_scope', `the token does not allow the resource ${resource}`)
}
