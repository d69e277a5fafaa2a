import { type Reason, Refusal } from '../src/errors.js'
import type { Resolver } from '../src/lib/hosts/resolver.js'

/** The name servers of a test: a name has only the records that the test sets. */
export interface TestDns extends Resolver {
  setTxt(name: string, ...records: string[]): void
  setAddresses(name: string, ...addresses: string[]): void
  /** While set, every look-up is refused for this reason: `fetch_failed` if no name server answers. */
  refusal: Reason | undefined
  /** The names whose TXT records were looked up. */
  readonly lookUps: readonly string[]
}

export function testDns(): TestDns {
  const txt = new Map<string, readonly string[]>()
  const addresses = new Map<string, readonly string[]>()
  const lookUps: string[] = []
  const find = async (records: ReadonlyMap<string, readonly string[]>, name: string) => {
    if (dns.refusal) throw new Refusal(dns.refusal, 'no name server answered in time')
    return records.get(name) ?? []
  }
  const dns: TestDns = {
    refusal: undefined,
    lookUps,
    txt: (name) => {
      lookUps.push(name)
      return find(txt, name)
    },
    addresses: (name) => find(addresses, name),
    setTxt: (name, ...records) => void txt.set(name, records),
    setAddresses: (name, ...found) => void addresses.set(name, found),
  }
  return dns
}
