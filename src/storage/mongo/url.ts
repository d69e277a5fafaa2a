// What may stand in a storage URL. It holds credentials, so no message shows it.
import { refuse } from '../../errors.js'

export const isMongoUrl = (text: string): boolean => /^mongodb(\+srv)?:\/\//.test(text)

/** The URL names hosts and a database, and may name credentials and TLS; it may not ask for less than what is promised. */
export function refuseWeaker(url: string): void {
  databaseOf(url)
  const asked = new Map([...withoutHosts(url).searchParams].map(([name, value]) => [name.toLowerCase(), value]))
  const allowed: readonly (readonly [string, string])[] = [
    ['w', 'majority'],
    ['journal', 'true'],
    ['j', 'true'],
    ['readconcernlevel', 'majority'],
    ['readpreference', 'primary'],
    ['retrywrites', 'true'],
    ['retryreads', 'true'],
    ['wtimeoutms', '0'],
    // What comes back would not be what was written
    ['raw', 'false'],
    ['promotevalues', 'true'],
    ['promotelongs', 'true'],
    // Anybody could answer for the database
    ['tlsinsecure', 'false'],
    ['tlsallowinvalidcertificates', 'false'],
    ['tlsallowinvalidhostnames', 'false'],
  ]
  for (const [name, only] of allowed) {
    const value = asked.get(name)
    if (value !== undefined && value !== only)
      refuse('bad_input', `the storage URL asks for another ${name}; only ${name}=${only} keeps what is promised`)
  }
  // CVE-2025-14847: what a server says that it has inflated
  if (asked.get('compressors')?.split(',').includes('zlib'))
    refuse('bad_input', 'the storage URL asks for compression by zlib; snappy and zstd are served')
}

/** The database that the URL names: without one the driver would take another than anybody means. */
export function databaseOf(url: string): string {
  const path = withoutHosts(url).pathname.slice(1)
  if (path === '') refuse('bad_input', 'the storage URL names no database: it is written mongodb://host:port,…/database?options')
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
    'the storage URL cannot be read. It is written mongodb://user:password@host:port,…/database?options, with names and password percent-encoded and options that the MongoDB driver knows',
  )

/** A URL that can be parsed as one: a list of hosts cannot. */
function withoutHosts(url: string): URL {
  const text = url.replace(/^mongodb(\+srv)?:\/\/[^/?]*/, 'mongodb://host')
  return isMongoUrl(url) && URL.canParse(text) ? new URL(text) : refuseUrl()
}
