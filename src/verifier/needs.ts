import { refuse } from '../errors.js'
import { requireOptions } from '../protocol/options.js'
import { NEEDS, type Needs } from './verify-request.js'

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
