import { readFileSync } from 'node:fs'
import { type Agent, createAgent } from '../client/index.js'
import { signerFromJwk } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import { newProfiles, type Profile, type Profiles } from './profile.js'

/** Flags of every command that talks to a registry. */
export interface CommonFlags {
  /** Name of the profile: identity and registry. */
  readonly profile: string
  /** Folder of the profiles. */
  readonly home?: string
  /** Print JSON instead of text. */
  readonly json?: boolean
}

export const profilesOf = (flags: Pick<CommonFlags, 'home'>): Profiles => newProfiles(flags.home)

/** Creates a client that authenticates with the key of the profile. */
export async function openAgent(flags: CommonFlags): Promise<{ readonly agent: Agent; readonly profile: Profile }> {
  const profile = profilesOf(flags).read(flags.profile)
  const signer = await signerFromJwk(profile.privateJwk)
  const publisher = profile.publisherJwk === undefined ? undefined : await signerFromJwk(profile.publisherJwk)
  const agent = createAgent({ issuer: profile.registry, clientId: profile.clientId, signer, ...(publisher && { publisher }) })
  return { agent, profile }
}

/** Calls one tRPC query or mutation with the profile and prints the result. */
export async function call(flags: CommonFlags, kind: 'query' | 'mutate', path: string, input: object): Promise<void> {
  const { agent } = await openAgent(flags)
  print(flags, await agent[kind](path, input))
}

export function print(flags: Pick<CommonFlags, 'json'>, value: unknown): void {
  process.stdout.write(`${flags.json ? JSON.stringify(value) : readable(value)}\n`)
}

/** An object becomes `name  value` lines; the items of a list are separated by `--`. */
function readable(value: unknown, indent = ''): string {
  if (Array.isArray(value))
    return value.length === 0 ? `${indent}(none)` : value.map((item) => readable(item, indent)).join(`\n${indent}--\n`)
  if (typeof value !== 'object' || value === null) return `${indent}${String(value)}`
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  const width = Math.max(0, ...entries.map(([name]) => name.length))
  return entries
    .map(([name, member]) => {
      const isNested = typeof member === 'object' && member !== null
      return isNested ? `${indent}${name}\n${readable(member, `${indent}  `)}` : `${indent}${name.padEnd(width)}  ${String(member)}`
    })
    .join('\n')
}

/** Reads a file as text; `-` reads standard input. */
export function textOfFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    return refuse('bad_input', `cannot read ${file}: ${error instanceof Error ? error.message : 'unknown'}`)
  }
}

/** Collects the values of a repeatable flag. */
export const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value]

/** Splits `<audience>=<scope>` at the last `=`. */
export function rightOf(text: string): { audience: string; scope: string } {
  const at = text.lastIndexOf('=')
  if (at < 1 || at === text.length - 1) refuse('bad_input', `--call ${text}: expected <audience>=<scope>`)
  return { audience: text.slice(0, at), scope: text.slice(at + 1) }
}

/** Parses a duration such as `90s`, `15m`, `12h` or `30d` into seconds. */
export function secondsOf(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[match?.[2] ?? '']
  return match && unit
    ? Number(match[1]) * unit
    : refuse('bad_input', `${text}: not a duration (expected a number and s, m, h or d, such as 90s or 30d)`)
}
