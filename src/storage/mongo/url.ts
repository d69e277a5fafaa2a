// Checks a store URL. The URL contains credentials, so no message shows it.
import { refuse } from '../../errors.js'

export const isMongoUrl = (text: string): boolean => /^mongodb(\+srv)?:\/\//.test(text)

/** Refuses a URL without a database, and options that would weaken durability, consistency or TLS. */
export function requireSafeUrl(url: string): void {
  databaseOf(url)
  const options = optionsOf(url)
  const allowed: readonly (readonly [string, string])[] = [
    ['w', 'majority'],
    ['journal', 'true'],
    ['j', 'true'],
    ['readconcernlevel', 'majority'],
    ['readpreference', 'primary'],
    ['retrywrites', 'true'],
    ['retryreads', 'true'],
    ['wtimeoutms', '0'],
    // With other values the driver returns types that differ from those written
    ['raw', 'false'],
    ['promotevalues', 'true'],
    ['promotelongs', 'true'],
    // With other values anyone could impersonate the database
    ['tlsinsecure', 'false'],
    ['tlsallowinvalidcertificates', 'false'],
    ['tlsallowinvalidhostnames', 'false'],
  ]
  for (const [name, only] of allowed) {
    const value = options.get(name)
    if (value !== undefined && value !== only)
      refuse('bad_input', `the store URL sets ${name}: remove it, or set ${name}=${only}, the only value that is safe`)
  }
  // CVE-2025-14847 is in zlib decompression
  if (options.get('compressors')?.split(',').includes('zlib'))
    refuse('bad_input', 'the store URL enables zlib compression: use snappy or zstd')
}

/** Names are in lower case, because the driver ignores their case. */
const optionsOf = (url: string): ReadonlyMap<string, string> =>
  new Map([...withoutHosts(url).searchParams].map(([name, value]) => [name.toLowerCase(), value]))

export const hasOption = (url: string, name: string): boolean => optionsOf(url).has(name.toLowerCase())

/** The name of the database in the URL. Refuses a URL without one, for which the driver would use the database `test`. */
export function databaseOf(url: string): string {
  const path = withoutHosts(url).pathname.slice(1)
  if (path === '') refuse('bad_input', 'the store URL names no database (expected mongodb://host:port,…/database?options)')
  try {
    return decodeURIComponent(path)
  } catch (error) {
    if (error instanceof URIError) refuseUrl()
    throw error
  }
}

export const refuseUrl = (): never =>
  refuse(
    'bad_input',
    'the store URL is invalid (expected mongodb://user:password@host:port,…/database?options, with user, password and database percent-encoded, and only options that the MongoDB driver knows)',
  )

/** Replaces the list of hosts, which `URL` cannot parse. */
function withoutHosts(url: string): URL {
  const text = url.replace(/^mongodb(\+srv)?:\/\/[^/?]*/, 'mongodb://host')
  return isMongoUrl(url) && URL.canParse(text) ? new URL(text) : refuseUrl()
}
