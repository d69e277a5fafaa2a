import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** True for an IP address and for a range such as `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** Returns a function that tells whether an address belongs to a configured proxy. Proxies are configured as addresses or ranges. */
export function newTrustedProxies(proxies: readonly string[]): (address: string) => boolean {
  // The list is slow compared with the rest of a request
  if (proxies.length === 0) return () => false
  const list = new BlockList()
  for (const proxy of proxies) {
    if (!isAddressRange(proxy)) throw new TypeError(`${proxy}: not an IP address or a range such as 10.0.0.0/8`)
    const [address = '', bits] = proxy.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => isIP(unmapped(address)) !== 0 && list.check(unmapped(address), isIP(unmapped(address)) === 4 ? 'ipv4' : 'ipv6')
}

/**
 * The address of the client: the peer of the connection, or the address that a trusted proxy reports for it in X-Forwarded-For, hop by hop
 * from the nearest proxy. Addresses that an untrusted peer reports are ignored.
 */
export function clientAddressOf(
  { socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>,
  isProxy: (address: string) => boolean,
): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '').split(',')
  let address = socket.remoteAddress ?? ''
  while (isProxy(address)) {
    const previousHop = forwarded.pop()?.trim() ?? ''
    if (isIP(previousHop) === 0) break
    address = previousHop
  }
  return unmapped(address)
}

/** Converts an IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) to IPv4. */
const unmapped = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')
