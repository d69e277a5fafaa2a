import type { IncomingRequest } from './incoming-request.js'

/** Proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed: addresses of their connections, or a function that knows them. */
export type Proxies = readonly string[] | ((address: string) => boolean)

/**
 * Origin, and path above it, under which callers reach this server. It is what the owner configured. Only where the connection comes from a proxy
 * that the owner named does that proxy's word about scheme and host replace it.
 */
export function newPublicUrl(publicUrl: string, proxies: Proxies = []): (request: Pick<IncomingRequest, 'headers' | 'peer'>) => string {
  const configured = parsePublicUrl(publicUrl)
  const isNamed = typeof proxies === 'function' ? proxies : (address: string) => proxies.map(bare).includes(address)
  return ({ headers, peer }) => {
    if (peer === undefined || !isNamed(bare(peer))) return configured.origin + configured.path
    return (forwardedOrigin(headers) ?? configured.origin) + configured.path
  }
}

function parsePublicUrl(text: string): { readonly origin: string; readonly path: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '')
    throw new TypeError(`publicUrl must be an http or https URL without query and fragment, not ${text}`)
  return { origin: url.origin, path: url.pathname.replace(/\/+$/, '') }
}

/** IPv4 over an IPv6 socket is the same address. */
const bare = (address: string): string => address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')

function forwardedOrigin(headers: IncomingRequest['headers']): string | undefined {
  const [proto, host] = [lastOf(headers['x-forwarded-proto']), lastOf(headers['x-forwarded-host'])]
  const text = `${proto}://${host}`
  return /^https?:\/\/[a-z0-9.:[\]-]+$/i.test(text) && URL.canParse(text) ? new URL(text).origin : undefined
}

/** Of a list the last value: what the nearest proxy wrote. What stands before it may be by anybody. */
const lastOf = (header: string | readonly string[] | undefined): string | undefined =>
  String(header ?? '')
    .split(',')
    .at(-1)
    ?.trim()
