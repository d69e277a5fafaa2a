import { refuse } from '../errors.js'
import type { IncomingRequest } from './incoming-request.js'

/**
 * The proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` headers are used: their IP addresses, or a function that returns true for
 * the address of a trusted proxy.
 */
export type Proxies = readonly string[] | ((address: string) => boolean)

/**
 * Returns the function that computes the origin, with the path prefix, under which callers reach this server. The configured URL decides,
 * except for a connection from a trusted proxy: then the forwarded scheme and host replace those of the URL.
 */
export function newPublicUrl(publicUrl: string, proxies: Proxies = []): (request: Pick<IncomingRequest, 'headers' | 'peer'>) => string {
  const configured = parsePublicUrl(publicUrl)
  const isTrusted = typeof proxies === 'function' ? proxies : (address: string) => proxies.map(normalised).includes(address)
  return ({ headers, peer }) => {
    if (peer === undefined || !isTrusted(normalised(peer))) return configured.origin + configured.path
    return (forwardedOrigin(headers) ?? configured.origin) + configured.path
  }
}

function parsePublicUrl(text: string): { readonly origin: string; readonly path: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '')
    return refuse('bad_input', `publicUrl must be an http or https URL without user, query or fragment, not ${JSON.stringify(text)}`)
  return { origin: url.origin, path: url.pathname.replace(/\/+$/, '') }
}

/** An IPv6 socket reports an IPv4 address as `::ffff:<address>`. */
const normalised = (address: string): string => address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '')

function forwardedOrigin(headers: IncomingRequest['headers']): string | undefined {
  const [proto, host] = [lastOf(headers['x-forwarded-proto']), lastOf(headers['x-forwarded-host'])]
  const text = `${proto}://${host}`
  return /^https?:\/\/[a-z0-9.:[\]-]+$/i.test(text) && URL.canParse(text) ? new URL(text).origin : undefined
}

/** The nearest proxy appends the last value of a list; a caller may have sent the values before it. */
const lastOf = (header: string | readonly string[] | undefined): string | undefined =>
  String(header ?? '')
    .split(',')
    .at(-1)
    ?.trim()
