import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { readVerifierKey } from '../credentials/cosignature.js'
import { COSIGNER_KEY, NOTE_KEY } from '../credentials/signed-note.js'
import { type Fault, Refusal } from '../errors.js'
import { isAddressRange } from '../http/trusted-proxies.js'
import { ConfiguredLimits } from '../identity/limits/limits.js'
import { Registration } from '../identity/registrations/store.js'
import { readHostAndPort } from '../lib/guarded-fetch/destination.js'
import { isLoopback } from '../lib/hosts/loopback.js'
import { isInside } from '../lib/io/is-inside.js'
import { pointerOf } from '../lib/json-pointer.js'
import { isMongoUrl } from '../storage/mongo/url.js'

const Port = z.coerce.number().int().min(0).max(65_535)

/** An origin: a URL without path, query, fragment or trailing slash, because issuers are compared byte for byte. */
const Issuer = z
  .string()
  .max(256)
  .refine(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    'must be an origin without a path or a trailing slash, such as https://registry.example',
  )

const OutgoingMode = z.enum(['off', 'allowlist', 'public'])
const HostAndPort = z
  .string()
  .max(300)
  .transform((text, context) => {
    const entry = readHostAndPort(text)
    if (entry === undefined) context.addIssue({ code: 'custom', message: 'must be host:port, such as agents.acme.internal:8443' })
    return entry ?? z.NEVER
  })

/** The mode alone, or with a list of servers. */
const ConfiguredOutgoing = z.preprocess(
  (value) => (typeof value === 'string' ? { mode: value } : value),
  z
    .strictObject({ mode: OutgoingMode, allow: z.array(HostAndPort).max(64).default([]) })
    .refine(({ mode, allow }) => mode !== 'allowlist' || allow.length > 0, 'the mode allowlist needs `allow`, a list of host:port')
    .refine(({ mode, allow }) => mode !== 'off' || allow.length === 0, 'the mode off has no `allow`'),
)

/** `<url>,<verifier key>`. */
const CosignerSetting = z
  .string()
  .max(2048)
  .transform((text, context) => {
    const [url = '', key = ''] = splitAtComma(text)
    const parsed = readVerifierKey(key, COSIGNER_KEY)
    const fault = /^https?:\/\/[^?#]+$/.test(url) && URL.canParse(url) ? parsed : 'must be <url>,<verifier key>'
    if (typeof fault !== 'string') return { url: url.replace(/\/+$/, ''), key: fault }
    context.addIssue({ code: 'custom', message: fault })
    return z.NEVER
  })

/** `<verifier key>` or `<origin>,<verifier key>`. */
const CosignedOriginSetting = z
  .string()
  .max(1024)
  .transform((text, context) => {
    const [origin, key = text] = splitAtComma(text)
    const parsed = readVerifierKey(key, NOTE_KEY)
    const fault =
      origin === undefined || (origin !== '' && origin.length <= 256) ? parsed : 'must be <verifier key> or <origin>,<verifier key>'
    if (typeof fault !== 'string') return { origin: origin ?? fault.name, key: fault }
    context.addIssue({ code: 'custom', message: fault })
    return z.NEVER
  })

const splitAtComma = (text: string): readonly [string, string] | readonly [] => {
  const at = text.indexOf(',')
  return at < 0 ? [] : [text.slice(0, at), text.slice(at + 1)]
}

/** True if a witness is another registry (a URL), false if it is a file. */
export const isUrl = (text: string): boolean => /^https?:\/\//.test(text)

export const Config = z
  .strictObject({
    dataDirectory: z.string().min(1).max(1024).default('.credence'),
    /** `mongodb://…/<database>`, for several instances. Default: the SQLite file `credence.db` in the data directory. */
    store: z.string().max(2048).refine(isMongoUrl, 'must be mongodb://…/<database>').optional(),
    /**
     * Remembers the head of the log: a file outside the data directory, best on another disk, or the issuer of another registry. `false`
     * (`--no-witness`) serves without one. Default in development mode: `witness.json` in the data directory.
     */
    witness: z
      .union([
        z.literal(false),
        Issuer,
        z
          .string()
          .min(1)
          .max(1024)
          .refine((text) => !isUrl(text), 'must be a file, or the issuer of another registry'),
      ])
      .optional(),
    /** Issuers of the registries whose witness this registry is. */
    witnessFor: z.array(Issuer).max(64).default([]),
    /** Witnesses that cosign the checkpoints of this registry's log (C2SP tlog-witness): a URL and a verifier key, joined by a comma. */
    cosigners: z.array(CosignerSetting).max(8).default([]),
    /** Logs whose checkpoints this registry cosigns: the verifier key, preceded by the origin and a comma if its name differs. */
    cosignFor: z.array(CosignedOriginSetting).max(64).default([]),
    /** Public URL of the registry. Required unless `dev` is set; in development mode, the default is `http://localhost:<port>`. */
    issuer: Issuer.optional(),
    host: z.string().min(1).max(255).default('127.0.0.1'),
    port: Port.default(4000),
    adminPort: Port.default(4001),
    /** Address of the admin port. Another one than loopback is for containers: everyone who reaches it can read it. */
    adminHost: z.string().min(1).max(255).default('127.0.0.1'),
    dev: z.boolean().default(false),
    /** Starts although the clock is far from log time. For one start, after the operator has checked the clock. */
    acceptClock: z.boolean().default(false),
    origins: z.array(z.string().max(256)).max(64).default([]),
    trustedProxies: z
      .array(z.string().max(64).refine(isAddressRange, 'must be an IP address, or a range such as 10.0.0.0/8'))
      .max(32)
      .default([]),
    /**
     * Requests to addresses that callers choose: imports by URL, proofs of names, checks of cards. `{ mode, allow }` lists servers as host:port
     * that may have private addresses and other ports. Default: `off`, in development mode `public`, which then includes loopback.
     */
    outgoing: ConfiguredOutgoing.optional(),
    /**
     * Whether clients that send no DPoP proof get bearer tokens, for resources that accept them. Whoever has a copy of such a token can use it.
     * Default: `off`, in development mode `on`.
     */
    bearerTokens: z.enum(['on', 'off']).optional(),
    /** `daily` repeats the checks of cards that their publishers have asked for (`cards.checkFreshness`). */
    freshness: z.enum(['off', 'daily']).default('off'),
    /**
     * Who may register a client at /oauth/register: `closed`, nobody; `token`, software with an initial access token that a member issued
     * (`registrations.issue`); `open`, everybody (development mode only).
     */
    registration: Registration.default('closed'),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    /**
     * `off` removes the rates per client, organisation and address, and the quotas, for benchmarks. The queues stay fair. An object replaces the
     * default maximum of some limits.
     */
    limits: ConfiguredLimits.default('on'),
    /**
     * Seconds at shutdown during which the server reports "not ready" and still accepts connections. Default: 5 with `store`, otherwise
     * 0.
     */
    graceSeconds: z.number().int().min(0).max(300).optional(),
    /** Maximum seconds at shutdown to wait for requests under way; the connections that remain are dropped. */
    drainSeconds: z.number().int().min(0).max(300).default(10),
  })
  .superRefine((config, context) => {
    const registries = [...(typeof config.witness === 'string' && isUrl(config.witness) ? [config.witness] : []), ...config.witnessFor]
    const isInsecure = (url: string) => !url.startsWith('https://') && !(config.dev && isLoopback(new URL(url).hostname))
    const insecure = registries.find(isInsecure)
    if (insecure !== undefined)
      context.addIssue({
        code: 'custom',
        path: [insecure === config.witness ? 'witness' : 'witnessFor'],
        message: 'must be an https URL (http only on loopback, in development mode)',
      })
    config.cosigners.forEach(({ url }, i) => {
      if (isInsecure(url))
        context.addIssue({
          code: 'custom',
          path: ['cosigners', i],
          message: 'must be an https URL (http only on loopback, in development mode)',
        })
    })
    if (config.freshness === 'daily' && (config.outgoing?.mode ?? (config.dev ? 'public' : 'off')) === 'off')
      context.addIssue({ code: 'custom', path: ['freshness'], message: 'daily needs outgoing requests (setting `outgoing`)' })
    if (config.registration === 'open' && !config.dev)
      context.addIssue({ code: 'custom', path: ['registration'], message: 'open is for development mode (--dev); use token' })
    if (config.dev) {
      if (!isLoopback(config.host))
        context.addIssue({ code: 'custom', path: ['host'], message: 'must be a loopback address in development mode' })
      if (config.issuer && !isLoopback(new URL(config.issuer).hostname)) {
        context.addIssue({ code: 'custom', path: ['issuer'], message: 'must be a URL on loopback in development mode' })
      }
    } else if (!config.issuer?.startsWith('https://')) {
      context.addIssue({ code: 'custom', path: ['issuer'], message: 'must be an https URL, or use --dev for development on this machine' })
    }
  })
export type Config = z.infer<typeof Config>

/**
 * Merges the defaults, the file, the CREDENCE_* environment variables and the flags; later ones win. The refusal names the path of each
 * bad value.
 */
export function parseConfig(flags: Flags, file?: string, env: NodeJS.ProcessEnv = process.env): Config {
  const config = parseMerged({ ...fromFile(file), ...fromEnvironment(env), ...flags })
  const hint = witnessFault(config)
  return hint === undefined ? config : invalid([{ pointer: '/witness', hint }])
}

/** Refuses a witness in the data directory: an old copy of the directory would contain an old copy of the witness, too. */
function witnessFault({ dev, witness, dataDirectory }: Config): string | undefined {
  if (dev || witness === false) return undefined
  if (witness === undefined)
    return 'required outside development mode: --witness with a file outside the data directory or with another registry, or --no-witness'
  if (!isUrl(witness) && isInside(witness, dataDirectory))
    return `${witness} is in the data directory, so an old copy of the directory would bring the old witness back (choose a file outside, best on another disk)`
  return undefined
}

/**
 * Like `parseConfig`, for commands that work on the data of a registry. Without an https issuer, development mode is assumed.
 * These commands do not listen, so a `host` that is not on loopback is ignored instead of refused.
 */
export function parseDataConfig(flags: Flags, file?: string, env: NodeJS.ProcessEnv = process.env): Config {
  const merged: Flags = { ...fromFile(file), ...fromEnvironment(env), ...flags }
  if (merged.issuer !== undefined && !String(merged.issuer).startsWith('http://')) return parseMerged(merged)
  const { host, ...others } = merged
  return parseMerged({ ...others, ...(isLoopback(String(host)) && { host }), dev: true })
}

type Flags = Readonly<Record<string, unknown>>

function parseMerged(merged: Flags): Config {
  const parsed = Config.safeParse(merged)
  if (parsed.success) return parsed.data
  return invalid(parsed.error.issues.map((issue) => ({ pointer: pointerOf(issue.path.map(String)) || '/', hint: issue.message })))
}

function invalid(faults: readonly Fault[]): never {
  throw new Refusal('bad_input', faults.map((fault) => `configuration ${fault.pointer}: ${fault.hint}`).join('; '), { faults })
}

function fromFile(file: string | undefined): Record<string, unknown> {
  if (file === undefined) return {}
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new Refusal('bad_input', `configuration file ${file}: ${error instanceof Error ? error.message : 'unreadable'}`)
  }
}

const ENVIRONMENT: Readonly<Record<string, string>> = {
  CREDENCE_DATA_DIRECTORY: 'dataDirectory',
  CREDENCE_ISSUER: 'issuer',
  CREDENCE_HOST: 'host',
  CREDENCE_PORT: 'port',
  CREDENCE_ADMIN_PORT: 'adminPort',
  CREDENCE_ADMIN_HOST: 'adminHost',
  CREDENCE_LOG_LEVEL: 'logLevel',
  CREDENCE_WITNESS: 'witness',
  CREDENCE_STORE: 'store',
  CREDENCE_LIMITS: 'limits',
  CREDENCE_OUTGOING: 'outgoing',
  CREDENCE_BEARER_TOKENS: 'bearerTokens',
  CREDENCE_FRESHNESS: 'freshness',
  CREDENCE_REGISTRATION: 'registration',
}

const fromEnvironment = (env: NodeJS.ProcessEnv): Record<string, unknown> =>
  Object.fromEntries(Object.entries(ENVIRONMENT).flatMap(([name, key]) => (env[name] === undefined ? [] : [[key, env[name]]])))
