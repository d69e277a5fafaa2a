import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Agent, createAgent } from '../client/index.js'
import { newPrivateJwk, type Signer, signerFromJwk } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import { clientClock } from '../lib/clock.js'
import { requirePrivate } from '../lib/io/private-file.js'
import { isJsonObject, readJson } from '../lib/json.js'
import { EndReason } from '../protocol/end-reason.js'
import { refuseUsage } from './errors.js'
import { jsonFieldsOption } from './fields.js'
import { ask, canAsk, type JsonFlag, print, printErrorLines, withProgress } from './output.js'
import { newProfiles, type Profile, type Profiles } from './profile.js'

/** Flags of every command that talks to a registry. */
export interface CommonFlags extends JsonFlag {
  /** Name of the profile: identity and registry. */
  readonly profile: string
  /** Folder of the profiles. */
  readonly home?: string
  /** Print the requests. */
  readonly verbose?: boolean
  /** Only of the commands that end something. */
  readonly reason?: string
  readonly note?: string
  readonly yes?: boolean
  readonly dryRun?: boolean
}

/** Flags of a command that prints a list. */
export interface ListFlags extends CommonFlags {
  readonly limit?: number
  readonly all?: boolean
  readonly cursor?: string
}

/** Adds the options of every command that talks to a registry, except `--json`. */
export const profileOptions = (command: Command): Command =>
  command
    .addOption(new Option('--profile <name>', 'profile to use: identity and registry').default('default').env('CREDENCE_PROFILE'))
    .addOption(new Option('--home <folder>', 'folder of the profiles (default: ~/.credence)').env('CREDENCE_HOME'))
    .option('--verbose', 'print each request (method, URL, status, milliseconds) on standard error')

/** The options of a command that changes something. */
export const commonOptions = (command: Command): Command => profileOptions(command).option('--json', 'print JSON')

/** The options of a command that shows one thing. */
export const showOptions = (command: Command): Command => profileOptions(command).addOption(jsonFieldsOption())

/** The options of a command that prints a list. */
export const listOptions = (command: Command): Command =>
  showOptions(command)
    .option('--limit <n>', 'maximum number of items to print (default: 20, then more on request)', wholeNumber)
    .option('--all', 'print all items')
    .option('--cursor <cursor>', 'continue after an earlier page, whose JSON had this cursor')

export const NOTE = 'explanation for the history, at most 256 characters; it is kept for ever, so write no personal data'

/** The restrictions of tokens that a server enforces. */
export const understandsOption = (): Option =>
  new Option('--understands <restriction>', 'restriction of tokens that its server enforces: max_calls, or none').choices([
    'max_calls',
    'none',
  ])

export const restrictionsOf = (restriction: string): readonly string[] => (restriction === 'none' ? [] : [restriction])

/** Adds the flags of a command that ends something. */
export const endingOptions = (command: Command): Command =>
  confirmationOptions(command)
    .addOption(new Option('--reason <reason>', 'why it ends, for the history').choices(EndReason.options))
    .option('--note <text>', NOTE)

/** Adds the flags of a command that asks before it ends something. */
export const confirmationOptions = (command: Command): Command =>
  command.option('--yes', 'do not ask').option('--dry-run', 'print what would be revoked or removed, and change nothing')

/** `--registry`, which the environment may hold. */
export const registryOption = (): Option =>
  new Option('--registry <url>', 'issuer URL of the registry').env('CREDENCE_REGISTRY').makeOptionMandatory()

export const profilesOf = (flags: Pick<CommonFlags, 'home'>): Profiles => newProfiles(flags.home)

/** A private key of the command line, and the file that keeps it. */
interface KeptKey {
  readonly privateJwk: Readonly<Record<string, unknown>>
  readonly signer: Signer
  readonly keyFile: string
}

/**
 * Creates a key, or reads the one in `file`, and stores it before the registry hears of it: so a command that is interrupted loses no key, and can be
 * repeated with `file`.
 */
export async function keptKey(flags: Pick<CommonFlags, 'home'>, file?: string): Promise<KeptKey> {
  const privateJwk = file === undefined ? { ...(await newPrivateJwk('ES256')) } : jwkOf(privateTextOfFile(file), file)
  const signer = await signerFromJwk(privateJwk)
  return { privateJwk, signer, keyFile: profilesOf(flags).keepKey(privateJwk) }
}

function jwkOf(text: string, file: string): Record<string, unknown> {
  const json = readJson(text)
  return 'value' in json && isJsonObject(json.value) ? { ...json.value } : refuse('bad_input', `${file}: expected a private key as a JWK`)
}

/** Creates a client that authenticates with the key of the profile. */
export async function openAgent(flags: CommonFlags): Promise<{ readonly agent: Agent; readonly profile: Profile }> {
  const profiles = profilesOf(flags)
  const profile = profiles.read(flags.profile)
  const signer = await signerFromJwk(profile.privateJwk)
  const publisher = profile.publisherJwk === undefined ? undefined : await signerFromJwk(profile.publisherJwk)
  const agent = createAgent({
    issuer: profile.registry,
    clientId: profile.clientId,
    signer,
    fetch: fetchOf(flags),
    tokenStore: profiles.tokenStore(flags.profile),
    ...(publisher && { publisher }),
  })
  return { agent, profile }
}

/** A `fetch` that prints each request if `--verbose` is given. Queries, headers and bodies are left out, because they may hold secrets. */
export function fetchOf({ verbose = false }: Pick<CommonFlags, 'verbose'>): typeof globalThis.fetch {
  if (!verbose) return globalThis.fetch
  return async (input, init) => {
    const { origin, pathname } = new URL(input instanceof Request ? input.url : input)
    const sentAt = clientClock.monotonicMs()
    const report = (outcome: string) =>
      printErrorLines(`${init?.method ?? 'GET'} ${origin}${pathname} ${outcome} ${Math.round(clientClock.monotonicMs() - sentAt)} ms`)
    try {
      const response = await globalThis.fetch(input, init)
      report(String(response.status))
      return response
    } catch (error) {
      report('failed')
      throw error
    }
  }
}

/** Calls one tRPC query or mutation with the profile and prints the result. */
export async function call(flags: CommonFlags, kind: 'query' | 'mutate', path: string, input: object): Promise<void> {
  const { agent } = await openAgent(flags)
  const { reason, note } = flags
  print(flags, await withProgress(path, () => agent[kind](path, definedIn({ ...input, reason, note }))))
}

export const definedIn = (flags: object): object => Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined))

/** Reads a file as text; `-` reads standard input. */
export function textOfFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    return refuse('bad_input', `cannot read ${file}: ${error instanceof Error ? error.message : 'unknown'}`)
  }
}

/** Reads a private key from a file that only its owner may read; `-` reads standard input. */
export function privateTextOfFile(file: string): string {
  if (file !== '-') requirePrivate(file)
  return textOfFile(file)
}

/** A code or token: as it was given, or from standard input if that is `-`. Without one, a person is asked. */
export async function secretOf(given: string | undefined, name: string): Promise<string> {
  const secret = given === '-' ? textOfFile('-').trim() : (given ?? (canAsk() ? await ask(`${name}: `) : undefined))
  return secret || refuseUsage(`no ${name} was given`)
}

/** Collects the values of a repeatable flag. */
export const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value]

/** Parses a number of items or of seconds. */
export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1')
  return Number(text)
}

export const wholeNumberOrZero = (text: string): number => (text === '0' ? 0 : wholeNumber(text))

/** Parses a duration such as `90s`, `15m`, `12h` or `30d` into seconds. */
export function secondsOf(text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text)
  const unit = { s: 1, m: 60, h: 3600, d: 86_400 }[match?.[2] ?? '']
  return match && unit
    ? Number(match[1]) * unit
    : refuseUsage(`${text}: not a duration (expected a number and s, m, h or d, such as 90s or 30d)`)
}

/** Parses a point in time into epoch seconds: a duration before `now`, or an ISO 8601 date (midnight UTC) or time with its zone. */
export function timeOf(text: string, now: number): number {
  if (/^\d+[smhd]$/.test(text)) return now - secondsOf(text)
  return isoTimeOf(text) ?? refuseUsage(`${text}: not a time (expected a duration such as 2h, or 2026-01-31 or 2026-01-31T12:00:00Z)`)
}

/** Parses an ISO 8601 date (midnight UTC) or time with its zone into epoch seconds. Undefined for another text, and for a day that its month does not have. */
export function isoTimeOf(text: string): number | undefined {
  const [, date] = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?$/.exec(text) ?? []
  if (date === undefined) return undefined
  const [day, time] = [Date.parse(date), Date.parse(text)]
  const isReal = day >= 0 && time >= 0 && new Date(day).toISOString().startsWith(date)
  return isReal ? Math.floor(time / 1000) : undefined
}
