import { refuse } from '../errors.js'
import { pointerOf } from '../lib/json-pointer.js'

/** A table with the name of every option of `T`. The compiler refuses a table that lacks an option or has another one. */
export type OptionNames<T> = { readonly [Name in keyof T]-?: unknown }

const MAX_NAME_CHARACTERS = 64

/**
 * Refuses an option that the function does not have, and anything that is not an object. Otherwise a misspelt option would have no effect: a
 * token would be wider than its caller meant. `where` names the function.
 */
export function requireOptions<T extends object>(where: string, options: T, names: OptionNames<T>): void {
  const known = Object.keys(names)
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    refuse('bad_input', `${where}: the options must be an object with the members ${known.join(', ')}`, {
      faults: [{ pointer: '', hint: 'must be an object' }],
    })
  const unknown: string[] = []
  // Also inherited ones, which a function would read
  for (const name in options) if (!known.includes(name)) unknown.push(name)
  if (unknown.length === 0) return
  const quoted = unknown.map((name) => JSON.stringify(name.slice(0, MAX_NAME_CHARACTERS)))
  refuse('bad_input', `${where}: unknown option${unknown.length > 1 ? 's' : ''} ${quoted.join(', ')} (expected ${known.join(', ')})`, {
    faults: unknown.map((name) => ({ pointer: pointerOf([name]), hint: 'unknown option' })),
  })
}
