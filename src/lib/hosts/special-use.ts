// The addresses and names that no party on the public internet owns. A check of a URL that a caller chose uses this table.
// Addresses: the registries of RFC 6890, and the blocks that embed an IPv4 address, through which a special-use one can be reached.
// Names: the registry of RFC 6761. Cost: linear in the table.

const IPV4_BLOCKS = [
  '0.0.0.0/8', // this network (RFC 791)
  '10.0.0.0/8', // private use (RFC 1918)
  '100.64.0.0/10', // shared address space (RFC 6598)
  '127.0.0.0/8', // loopback (RFC 1122)
  '169.254.0.0/16', // link local, metadata services of clouds (RFC 3927)
  '172.16.0.0/12', // private use (RFC 1918)
  '192.0.0.0/24', // IETF protocol assignments (RFC 6890)
  '192.0.2.0/24', // documentation (RFC 5737)
  '192.31.196.0/24', // AS112 (RFC 7535)
  '192.52.193.0/24', // AMT (RFC 7450)
  '192.88.99.0/24', // 6to4 relay anycast (RFC 7526)
  '192.168.0.0/16', // private use (RFC 1918)
  '192.175.48.0/24', // AS112 (RFC 7534)
  '198.18.0.0/15', // benchmarking (RFC 2544)
  '198.51.100.0/24', // documentation (RFC 5737)
  '203.0.113.0/24', // documentation (RFC 5737)
  '224.0.0.0/4', // multicast (RFC 5771)
  '240.0.0.0/4', // reserved, limited broadcast (RFC 1112, RFC 8190)
] as const

/** Only 2000::/3 is assigned to the public internet (RFC 4291 §2.4); these are the special-use blocks inside it. */
const IPV6_BLOCKS = [
  '2001::/23', // IETF protocol assignments, Teredo, ORCHID, benchmarking (RFC 2928)
  '2001:db8::/32', // documentation (RFC 3849)
  '2002::/16', // 6to4, embeds an IPv4 address (RFC 3056)
  '2620:4f:8000::/48', // AS112 (RFC 7534)
  '3fff::/20', // documentation (RFC 9637)
] as const
const PUBLIC_IPV6 = '2000::/3'

const NAMES = [
  'localhost',
  'test',
  'invalid',
  'example',
  'example.com',
  'example.net',
  'example.org',
  'local', // RFC 6762
  'onion', // RFC 7686
  'alt', // RFC 9476
  'arpa', // RFC 3172, with home.arpa (RFC 8375)
  'internal', // reserved by ICANN for private use
] as const

/**
 * True for a host on which no public service can be: a special-use address or name, and a name without a dot. `hostname` is that of a URL
 * object with an http or https URL, so every spelling of an address has been reduced to one.
 */
export function isSpecialUseHost(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/\.$/, '')
  if (host.startsWith('[')) return isSpecialUseIpv6(host.slice(1, -1))
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return isInSome(IPV4_BLOCKS, bitsOfIpv4(host))
  return !host.includes('.') || NAMES.some((name) => host === name || host.endsWith(`.${name}`))
}

/** The same for an address in any spelling of RFC 4291 §2.2, such as one from DNS. A text that is no address is not public either. */
export function isSpecialUseAddress(address: string): boolean {
  const url = `http://${address.includes(':') ? `[${address}]` : address}`
  return !/^[\d.]+$|:/.test(address) || !URL.canParse(url) || isSpecialUseHost(new URL(url).hostname)
}

function isSpecialUseIpv6(address: string): boolean {
  const bits = bitsOfIpv6(address)
  return !isInSome([PUBLIC_IPV6], bits) || isInSome(IPV6_BLOCKS, bits)
}

/** Compares binary texts: an address is in a block if the block's prefix begins it. */
const isInSome = (blocks: readonly string[], bits: string): boolean => blocks.some((block) => bits.startsWith(prefixOf(block)))

function prefixOf(block: string): string {
  const [address = '', length] = block.split('/')
  return (address.includes(':') ? bitsOfIpv6(address) : bitsOfIpv4(address)).slice(0, Number(length))
}

const bitsOfIpv4 = (address: string): string =>
  address
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('')

/** The address is in the form of URL objects: lower-case groups, at most one `::`, no dotted IPv4 part (WHATWG URL §3.5). */
function bitsOfIpv6(address: string): string {
  const [head = '', tail] = address.split('::')
  const groupsOf = (text: string) => text.split(':').filter((group) => group !== '')
  const [before, after] = [groupsOf(head), groupsOf(tail ?? '')]
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}
