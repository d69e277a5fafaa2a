import { isIPv6 } from 'node:net'

/** The prefix of an address that counts as one caller: an IPv4 address, or the /56 of an IPv6 address, which one customer usually has. */
export function addressPrefix(address: string): string {
  if (!isIPv6(address)) return address
  // The URL parser writes the canonical form (RFC 5952)
  const [head = '', tail] = new URL(`http://[${address.split('%')[0]}]`).hostname.slice(1, -1).split('::')
  const first = head.split(':').filter(Boolean)
  const last = (tail ?? '').split(':').filter(Boolean)
  const groups = tail === undefined ? first : [...first, ...Array<string>(8 - first.length - last.length).fill('0'), ...last]
  const [a, b, c, d = '0'] = groups
  return `${a}:${b}:${c}:${(Number.parseInt(d, 16) & 0xff00).toString(16)}::/56`
}
