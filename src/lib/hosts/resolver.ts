// The only place for DNS look-ups of the server. It asks the name servers of the machine and reads no hosts file: getaddrinfo, which would, runs
// on the thread pool, where a few slow names would delay files and signatures. Search domains are not appended.
import { Resolver as DnsResolver } from 'node:dns/promises'
import { Refusal } from '../../errors.js'
import { withSystemTimeout } from '../timeout.js'

export interface Resolver {
  /** All IPv4 and IPv6 addresses of a name; empty if the name has none. Refuses with `fetch_failed` if no name server answers in time. */
  addresses(name: string): Promise<readonly string[]>
  /** The TXT records of a name, each with its parts joined; empty if the name has none. Refuses with `fetch_failed` likewise. */
  txt(name: string): Promise<readonly string[]>
}

const TIMEOUT_MS = 3000
const QUERY = { timeout: 1000, tries: 2 }

/** Asks the given name servers, `address` or `address:port`. Default: those of the machine. */
export function newResolver(servers?: readonly string[]): Resolver {
  const newDns = (): DnsResolver => {
    const dns = new DnsResolver(QUERY)
    if (servers) dns.setServers(servers)
    return dns
  }
  return {
    addresses: async (name) => {
      // RFC 6761 §6.3: resolvers answer for localhost without a query
      if (/^localhost\.?$/i.test(name)) return ['127.0.0.1', '::1']
      const dns = newDns()
      const found = await inTime(dns, Promise.allSettled([dns.resolve4(name), dns.resolve6(name)].map(orNone)))
      const addresses = found.flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
      // Some name servers answer queries for one of the two types only
      return addresses.length > 0 || found.every(({ status }) => status === 'fulfilled') ? addresses : failed()
    },
    txt: async (name) => {
      const dns = newDns()
      const records = await inTime(dns, orNone(dns.resolveTxt(name)).catch(failed))
      return records.map((parts) => parts.join(''))
    },
  }
}

export const systemResolver: Resolver = newResolver()

/** A name that does not exist, or has no record of the type, is an answer. Everything else is a failure. */
const orNone = <T>(query: Promise<readonly T[]>): Promise<readonly T[]> =>
  query.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENODATA' || error.code === 'ENOTFOUND') return []
    throw error
  })

const inTime = <T>(dns: DnsResolver, work: Promise<T>): Promise<T> =>
  withSystemTimeout(TIMEOUT_MS, work, () => {
    dns.cancel()
    return lookUpFailed()
  })

const lookUpFailed = (): Refusal => new Refusal('fetch_failed', 'no name server answered in time')
const failed = (): never => {
  throw lookUpFailed()
}
