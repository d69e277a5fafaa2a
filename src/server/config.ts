import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { z } from 'zod'
import { type Fault, Refusal } from '../errors.js'
import { isAddressRange } from '../http/trusted-proxies.js'
import { pointerOf } from '../lib/json-pointer.js'
import { isMongoUrl } from '../storage/mongo/url.js'

const Port = z.coerce.number().int().min(0).max(65_535)

/** An issuer is a URL without path, query, fragment or trailing slash: its text is compared byte for byte. */
const Issuer = z
  .string()
  .max(256)
  .refine(
    (text) => URL.canParse(text) && new URL(text).origin === text,
    'an origin such as https://registry.example, without a path or a trailing slash',
  )

/** Names another registry, and no file. */
export const isUrl = (text: string): boolean => /^https?:\/\//.test(text)

export const Config = z
  .strictObject({
    dataDirectory: z.string().min(1).max(1024).default('.credence'),
    /** `mongodb://…` with the database's name, where one machine is not enough; absent: the file in the data directory. */
    store: z.string().max(2048).refine(isMongoUrl, 'a mongodb:// URL').optional(),
    /** What remembers the log's head: a file, best on another disk, or another registry by its issuer. Default: `witness.json` in the data directory. */
    witness: z
      .union([
        Issuer,
        z
          .string()
          .min(1)
          .max(1024)
          .refine((text) => !isUrl(text), 'a file, or the issuer of another registry'),
      ])
      .optional(),
    /** Issuers of the registries that this one is a witness of. */
    witnessFor: z.array(Issuer).max(64).default([]),
    /** The public URL. Default: the address that the server listens on, in development mode. */
    issuer: Issuer.optional(),
    host: z.string().min(1).max(255).default('127.0.0.1'),
    port: Port.default(4000),
    adminPort: Port.default(4001),
    dev: z.boolean().default(false),
    origins: z.array(z.string().max(256)).max(64).default([]),
    trustedProxies: z.array(z.string().max(64).refine(isAddressRange, 'an address, or a range such as 10.0.0.0/8')).max(32).default([]),
    logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
    /** Between "not ready" and the last connection that is taken. Default: 5 where other instances may share the store, else 0. */
    graceSeconds: z.number().int().min(0).max(300).optional(),
    drainSeconds: z.number().int().min(0).max(300).default(10),
  })
  .superRefine((config, context) => {
    const others = [...(config.witness !== undefined && isUrl(config.witness) ? [config.witness] : []), ...config.witnessFor]
    const open = others.find((url) => !url.startsWith('https://') && !(config.dev && isLoopback(new URL(url).hostname)))
    if (open !== undefined)
      context.addIssue({
        code: 'custom',
        path: [open === config.witness ? 'witness' : 'witnessFor'],
        message: 'another registry is asked over https',
      })
    if (config.dev) {
      if (!isLoopback(config.host))
        context.addIssue({ code: 'custom', path: ['host'], message: 'development mode listens on loopback only' })
      if (config.issuer && !isLoopback(new URL(config.issuer).hostname)) {
        context.addIssue({ code: 'custom', path: ['issuer'], message: 'development mode needs an issuer on loopback' })
      }
    } else if (!config.issuer?.startsWith('https://')) {
      context.addIssue({ code: 'custom', path: ['issuer'], message: 'an https issuer is needed (or --dev on this machine)' })
    }
  })
export type Config = z.infer<typeof Config>

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '')
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'))
}

/** Merges defaults, the file, CREDENCE_* of the environment and flags (later wins); refuses with the path of each bad value. */
export function parseConfig(flags: Flags, file?: string, env: NodeJS.ProcessEnv = process.env): Config {
  return checked({ ...fromFile(file), ...fromEnvironment(env), ...flags })
}

/**
 * The same for what works on the data of a registry that does not run: where nothing names an issuer, or one over http, it is in development mode,
 * and listens nowhere, whatever `host` says.
 */
export function parseDataConfig(flags: Flags, file?: string, env: NodeJS.ProcessEnv = process.env): Config {
  const merged: Flags = { ...fromFile(file), ...fromEnvironment(env), ...flags }
  if (merged.issuer !== undefined && !String(merged.issuer).startsWith('http://')) return checked(merged)
  const { host, ...others } = merged
  return checked({ ...others, ...(isLoopback(String(host)) && { host }), dev: true })
}

type Flags = Readonly<Record<string, unknown>>

function checked(merged: Flags): Config {
  const parsed = Config.safeParse(merged)
  if (parsed.success) return parsed.data
  const faults: Fault[] = parsed.error.issues.map((issue) => ({ pointer: pointerOf(issue.path.map(String)) || '/', hint: issue.message }))
  throw new Refusal('bad_input', faults.map((fault) => `configuration ${fault.pointer}: ${fault.hint}`).join('\n'), { faults })
}

function fromFile(file: string | undefined): Record<string, unknown> {
  if (file === undefined) return {}
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    throw new Refusal('bad_input', `configuration file ${file}: ${error instanceof Error ? error.message : 'unreadable'}`)
  }
}

const NAMES: Readonly<Record<string, string>> = {
  CREDENCE_DATA_DIRECTORY: 'dataDirectory',
  CREDENCE_ISSUER: 'issuer',
  CREDENCE_HOST: 'host',
  CREDENCE_PORT: 'port',
  CREDENCE_ADMIN_PORT: 'adminPort',
  CREDENCE_LOG_LEVEL: 'logLevel',
  CREDENCE_WITNESS: 'witness',
  CREDENCE_STORE: 'store',
}

const fromEnvironment = (env: NodeJS.ProcessEnv): Record<string, unknown> =>
  Object.fromEntries(Object.entries(NAMES).flatMap(([name, key]) => (env[name] === undefined ? [] : [[key, env[name]]])))
