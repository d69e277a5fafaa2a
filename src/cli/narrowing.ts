// The options of the commands that narrow a consent or an introduction.
import type { Command } from 'commander'
import type { GrantNarrowing } from '../client/consents.js'
import { type CommonFlags, collect, definedIn, isoTimeOf } from './context.js'
import { refuseUsage } from './errors.js'

export interface NarrowFlags extends CommonFlags {
  readonly scope?: readonly string[]
  readonly tool?: readonly string[]
  readonly resource?: readonly string[]
  readonly passOn?: boolean
  readonly until?: string
}

export const narrowOptions = (command: Command): Command =>
  command
    .option('--scope <scope>', 'a scope to keep (repeatable)', collect)
    .option('--tool <name>', 'a tool to keep (repeatable)', collect)
    .option('--resource <name>', 'a resource to keep (repeatable)', collect)
    .option('--no-pass-on', 'it may not be passed on to other agents')
    .option('--until <time>', 'an earlier end, such as 2026-12-31 or 2026-12-31T12:00:00Z')

/** Refuses flags that narrow nothing. */
export function narrowingOf({ scope, tool, resource, passOn, until }: NarrowFlags): GrantNarrowing {
  const narrowing = {
    ...definedIn({ scopes: scope, tools: tool, resources: resource }),
    ...(passOn === false && { delegation: null }),
    ...(until !== undefined && {
      until: isoTimeOf(until) ?? refuseUsage('--until: not a date or time such as 2026-12-31 or 2026-12-31T12:00:00Z'),
    }),
  }
  return Object.keys(narrowing).length > 0 ? narrowing : refuseUsage('nothing to narrow: give at least one option')
}
