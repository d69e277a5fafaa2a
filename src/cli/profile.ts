import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { AccessToken, TokenStore } from '../client/index.js'
import { publicKeyOf } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import { requirePrivate } from '../lib/io/private-file.js'
import { refuseUsage } from './errors.js'

const PrivateJwk = z.record(z.string(), z.unknown())
type PrivateJwk = z.infer<typeof PrivateJwk>

/** An identity at one registry. The private key is stored only in this file (mode 0600). */
export const Profile = z.strictObject({
  registry: z.string().max(256),
  clientId: z.string().max(64),
  privateJwk: PrivateJwk,
  /** Publisher key of the organisation, if it was registered from this machine. */
  publisherJwk: PrivateJwk.optional(),
})
export type Profile = z.infer<typeof Profile>

export interface Profiles {
  read(name: string): Profile
  /** The names of all profiles, in alphabetical order. */
  list(): readonly string[]
  /** Removes the profile with the private key of its client, the kept copy of this key, and the token. A publisher key is kept as `keepKey` does, and its file is returned. */
  remove(name: string): { readonly publisherKeyFile?: string }
  /** Keeps the access token of a profile (mode 0600), so that a new one is requested only when it expires. */
  tokenStore(name: string): TokenStore
  /** Stores a private key as `<home>/keys/<thumbprint>.jwk` and returns the path. Only `remove` removes it. */
  keepKey(privateJwk: PrivateJwk): string
  /** Replaces a profile. A profile of another client is renamed first; private keys that the new profile lacks are kept as `keepKey` does. */
  write(name: string, profile: Profile): { readonly profile: string; readonly previousProfile?: string }
}

/** Profiles are files `<home>/<name>.json`; `home` defaults to `~/.credence`. */
export function newProfiles(home: string = join(homedir(), '.credence')): Profiles {
  const path = (name: string) => {
    if (!NAME.test(name)) refuseUsage(`${JSON.stringify(name)}: not a profile name (1 to 64 of a-z, 0-9 and -)`)
    return join(home, `${name}.json`)
  }
  const tokenPath = (name: string) => join(home, 'tokens', `${name}.json`)
  const freeName = (name: string): string => {
    for (let n = 1; ; n++)
      if (readIfThere(path(`${name.slice(0, 48)}-before-${n}`)) === undefined) return `${name.slice(0, 48)}-before-${n}`
  }
  const keyPath = (privateJwk: PrivateJwk) => join(home, 'keys', `${publicKeyOf(privateJwk).jkt}.jwk`)
  const keepKey = (privateJwk: PrivateJwk): string => {
    const file = keyPath(privateJwk)
    mkdirSync(join(home, 'keys'), { recursive: true, mode: 0o700 })
    if (readIfThere(file) === undefined) writeFileSync(file, `${JSON.stringify(privateJwk)}\n`, { mode: 0o600, flag: 'wx', flush: true })
    return file
  }
  const read = (name: string): Profile => {
    const text = readIfThere(path(name))
    if (text === undefined)
      refuse('invalid_client', `no profile ${name} in ${home}: run \`credence login\` or \`credence agent confirm\` first`)
    return profileOf(text) ?? refuse('bad_input', `profile ${name} is damaged: ${path(name)} is not a valid profile file`)
  }
  return {
    keepKey,
    read,
    list: () => {
      try {
        const files = readdirSync(home).filter((file) => file.endsWith('.json'))
        return files.map((file) => file.slice(0, -'.json'.length)).filter((name) => NAME.test(name))
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
        throw error
      }
    },
    remove: (name) => {
      const { privateJwk, publisherJwk } = read(name)
      const publisherKeyFile = publisherJwk && keepKey(publisherJwk)
      rmSync(tokenPath(name), { force: true })
      rmSync(keyPath(privateJwk), { force: true })
      // Last, so that a logout that was interrupted can be repeated
      rmSync(path(name))
      return { ...(publisherKeyFile && { publisherKeyFile }) }
    },
    tokenStore: (name) => ({
      load: () => tokenOf(readIfThere(tokenPath(name))),
      save: (token) => {
        mkdirSync(join(home, 'tokens'), { recursive: true, mode: 0o700 })
        writePrivate(`${tokenPath(name)}.new`, token)
        renameSync(`${tokenPath(name)}.new`, tokenPath(name))
      },
    }),
    write: (name, profile) => {
      mkdirSync(home, { recursive: true, mode: 0o700 })
      const file = path(name)
      writePrivate(`${file}.new`, profile)
      // The token of the client that had this name, or of the earlier key
      rmSync(tokenPath(name), { force: true })
      const before = readIfThere(file)
      const previous = before === undefined ? undefined : profileOf(before)
      const isOther = before !== undefined && previous?.clientId !== profile.clientId
      if (previous !== undefined && !isOther) keysOf(previous).forEach(keepKey)
      const previousProfile = isOther ? freeName(name) : undefined
      if (previousProfile !== undefined) renameSync(file, path(previousProfile))
      renameSync(`${file}.new`, file)
      return { profile: file, ...(previousProfile !== undefined && { previousProfile }) }
    },
  }
}

const keysOf = ({ privateJwk, publisherJwk }: Profile): readonly PrivateJwk[] => [privateJwk, ...(publisherJwk ? [publisherJwk] : [])]

const NAME = /^[a-z0-9-]{1,64}$/

function writePrivate(file: string, value: object): void {
  // A file that an interrupted command left would keep its mode
  rmSync(file, { force: true })
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
}

const StoredToken = z.strictObject({ accessToken: z.string().max(65_536), scope: z.string().max(4096), expiresAt: z.number() })

/** A damaged file counts as none: the next token replaces it. */
function tokenOf(text: string | undefined): AccessToken | undefined {
  try {
    return StoredToken.safeParse(JSON.parse(text ?? 'null')).data
  } catch {
    return undefined
  }
}

/** Undefined if the text is not a valid profile. */
function profileOf(text: string): Profile | undefined {
  try {
    return Profile.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function readIfThere(file: string): string | undefined {
  requirePrivate(file)
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
