import { refuse } from '../errors.js'
import type { Needs } from './verify-request.js'

/** The rights that a guard requires, or `any` for a guard that accepts every valid token, because a later one requires the rights. */
export type GuardNeeds = Needs | 'any'

const NAMES = ['scope', 'tool', 'resource']

/** Checks the needs of a guard when it is created: a missing or misspelt name would let every valid token in. */
export function parseNeeds(needs: GuardNeeds, where: string): Needs {
  if (needs === 'any') return {}
  const entries = Object.entries(needs ?? {})
  const unknown = entries.find(([name]) => !NAMES.includes(name))
  if (unknown) refuse('bad_input', `${where}: needs has no member ${JSON.stringify(unknown[0])}; it names a scope, tool or resource`)
  if (!entries.some(([, value]) => typeof value === 'string' && value !== ''))
    refuse('bad_input', `${where}: needs must name a scope, tool or resource, or be 'any' to accept every valid token`)
  return needs
}
