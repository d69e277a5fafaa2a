import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { publicKeyOf } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import { requirePrivate } from '../lib/io/private-file.js'

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
  /** Stores a private key as `<home>/keys/<thumbprint>.jwk` and returns the path. Nothing removes it. */
  keepKey(privateJwk: PrivateJwk): string
  /** Replaces a profile. A profile of another client is renamed first; private keys that the new profile lacks are kept as `keepKey` does. */
  write(name: string, profile: Profile): { readonly profile: string; readonly previousProfile?: string }
}

/** Profiles are files `<home>/<name>.json`; `home` defaults to `~/.credence`. */
export function newProfiles(home: string = join(homedir(), '.credence')): Profiles {
  const path = (name: string) => {
    if (!/^[a-z0-9-]{1,64}$/.test(name)) refuse('bad_input', `${JSON.stringify(name)}: not a profile name (1 to 64 of a-z, 0-9 and -)`)
    return join(home, `${name}.json`)
  }
  const freeName = (name: string): string => {
    for (let n = 1; ; n++)
      if (readIfThere(path(`${name.slice(0, 48)}-before-${n}`)) === undefined) return `${name.slice(0, 48)}-before-${n}`
  }
  const keepKey = (privateJwk: PrivateJwk): string => {
    const file = join(home, 'keys', `${publicKeyOf(privateJwk).jkt}.jwk`)
    mkdirSync(join(home, 'keys'), { recursive: true, mode: 0o700 })
    if (readIfThere(file) === undefined) writeFileSync(file, `${JSON.stringify(privateJwk)}\n`, { mode: 0o600, flag: 'wx', flush: true })
    return file
  }
  return {
    keepKey,
    read: (name) => {
      const text = readIfThere(path(name))
      if (text === undefined)
        refuse('not_found', `no profile ${name} in ${home}: run \`credence login\` or \`credence agent confirm\` first`)
      return profileOf(text) ?? refuse('bad_input', `profile ${name} is damaged: ${path(name)} is not a valid profile file`)
    },
    write: (name, profile) => {
      mkdirSync(home, { recursive: true, mode: 0o700 })
      const file = path(name)
      // A file that an interrupted command left would keep its mode
      rmSync(`${file}.new`, { force: true })
      writeFileSync(`${file}.new`, `${JSON.stringify(profile, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
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
