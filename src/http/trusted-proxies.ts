import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** True for an address, or a range such as `10.0.0.0/8`. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** Whether an address is one of the proxies that the operator named, by address or range. */
export function newTrustedProxies(named: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const text of named) {
    if (!isAddressRange(text)) throw new TypeError(`${text} is no address and no range of addresses`)
    const [address = '', bits] = text.split('/')
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return (address) => isIP(bare(address)) !== 0 && list.check(bare(address), isIP(bare(address)) === 4 ? 'ipv4' : 'ipv6')
}

/** Whose request it is: the connection's address, or what named proxies say of it, from the nearest on. What an unnamed one says is nobody's word. */
export function addressOf({ socket, headers }: Pick<IncomingMessage, 'socket' | 'headers'>, isProxy: (address: string) => boolean): string {
  const said = String(headers['x-forwarded-for'] ?? '').split(',')
  let address = socket.remoteAddress ?? ''
  while (isProxy(address)) {
    const before = said.pop()?.trim() ?? ''
    if (isIP(before) === 0) break
    address = before
  }
  return bare(address)
}

/** IPv4 over an IPv6 socket is the same address. */
const bare = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')
