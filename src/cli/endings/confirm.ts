// Commands that end something: they say what would be revoked (--dry-run), and ask before they do it, unless --yes is given.
import type { Agent } from '../../client/index.js'
import { refuse } from '../../errors.js'
import { type CommonFlags, call, openAgent } from '../context.js'
import { refuseUsage } from '../errors.js'
import { readOf } from '../lists/list.js'
import { ask, canAsk, print, printErrorLines, withProgress } from '../output.js'

/** The things that a command would end, for `--dry-run` and for the question. */
export interface Ending {
  /** The thing that is revoked, with its name and id; or what is removed, if nothing is revoked. */
  readonly revokes?: string | undefined
  readonly removes?: string | undefined
  /** The things that end with it. A number may be a lower bound, such as `1000 or more`. */
  readonly endsWithIt?: Readonly<Record<string, number | string>>
  /** Typed by the person, if the ending is for ever and wide. */
  readonly nameToType?: string
}

type ConfirmationFlags = Pick<CommonFlags, 'json' | 'yes' | 'dryRun' | 'reason' | 'note'>

/** Calls a mutation that ends something, if the person or a flag confirms it. */
export async function callEnding(
  flags: CommonFlags,
  path: string,
  {
    inputOf,
    describe,
  }: { readonly inputOf: (agent: Agent) => Promise<object>; readonly describe: (agent: Agent, input: never) => Promise<Ending> },
): Promise<void> {
  const { agent } = await openAgent(flags)
  requireConfirmable(flags)
  const input = await inputOf(agent)
  const isConfirmed = await confirm(flags, () => withProgress('counting what would be revoked', () => describe(agent, input as never))) // of `inputOf`
  if (isConfirmed) await call(flags, 'mutate', path, input)
}

/** Refuses a command that nobody can confirm, before anything is read. */
function requireConfirmable({ yes, dryRun }: ConfirmationFlags): void {
  if (!yes && !dryRun && !canAsk())
    refuseUsage('this ends something, and there is no terminal to ask: add --yes, or --dry-run to see what would be revoked')
}

/** False after a dry run. A person who does not confirm gets an error, so that a script does not go on. */
export async function confirm(flags: ConfirmationFlags, describe: () => Promise<Ending>): Promise<boolean> {
  requireConfirmable(flags)
  const { yes, dryRun, reason, note } = flags
  if (yes && !dryRun) return true
  const { nameToType, ...ending } = await describe()
  if (dryRun) {
    print(flags, { dryRun: true, ...ending, reason, note })
    return false
  }
  const what = ending.revokes === undefined ? `removes ${ending.removes}` : `revokes ${ending.revokes}`
  printErrorLines(what, ...Object.entries(ending.endsWithIt ?? {}).map(([name, count]) => `  ${name}: ${count}`))
  const answer = await ask(nameToType === undefined ? 'Go on? [y/N] ' : `This is for ever. Type ${JSON.stringify(nameToType)} to go on: `)
  const isConfirmed = nameToType === undefined ? /^y(es)?$/i.test(answer ?? '') : answer === nameToType
  return isConfirmed || refuse('conflict', 'not confirmed: nothing was changed')
}

/** A count stops here. */
const MAX_COUNTED = 1000

/** Counts the items of a list for which `isCounted` holds, among the first MAX_COUNTED. */
export async function count<T>(agent: Agent, path: string, input: object, isCounted: (item: T) => boolean): Promise<number | string> {
  const read = readOf<T>(agent, { path }, input)
  let found = 0
  for (let seen = 0; ; ) {
    const { items, hasMore } = await read(100)
    found += items.filter(isCounted).length
    seen += items.length
    if (!hasMore) return found
    if (seen >= MAX_COUNTED) return `${found} or more`
  }
}
