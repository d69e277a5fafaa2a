import { isSpecialUseHost } from '../../lib/hosts/special-use.js'
import { agentOfAudience } from '../ids.js'

/** The largest URI of a protected resource, in characters. */
const MAX_URI = 512

/** The resource indicator that names the same resource as `uri`: without the slash of an empty path. URIs are otherwise compared as text. */
export const resourceUriOf = (uri: string): string => uri.replace(/^([a-z]+:\/\/[^/]+)\/$/, '$1')

/** True if `uri` can name an agent of this registry or a protected resource, so that a right may name it. */
export const canBeAudience = (issuer: string, uri: string): boolean =>
  agentOfAudience(issuer, uri) !== undefined || faultOfResourceUri(uri, { issuer, dev: true }) === undefined

/**
 * Why `uri` cannot name a protected resource, or undefined. It must be written as a URL parser would write it: so there is one spelling of each
 * resource, and no proxy or server reads it as another one. In development mode plain HTTP on this machine is allowed.
 *
 * @see [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707.html#section-2), [RFC 9728 §1.2](https://www.rfc-editor.org/rfc/rfc9728.html#section-1.2)
 */
export function faultOfResourceUri(uri: string, { issuer, dev }: { readonly issuer: string; readonly dev: boolean }): string | undefined {
  if (uri.length > MAX_URI) return `at most ${MAX_URI} characters`
  if (!URL.canParse(uri)) return 'expected an absolute https URI'
  const url = new URL(uri)
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(dev && isLoopback && url.protocol === 'http:')) return 'expected an https URI'
  if (url.username !== '' || url.password !== '') return 'must not have user information'
  if (/[?#]/.test(uri)) return 'must not have a query or a fragment'
  if (resourceUriOf(url.href) !== resourceUriOf(uri))
    return `not in its simplest form (lower-case host, no default port, no "." or ".." segment): write ${resourceUriOf(url.href)}`
  if (uri === issuer || uri.startsWith(`${issuer}/`)) return 'must not be the registry or below it: its own resources are agents'
  if (!dev && isSpecialUseHost(url.hostname))
    return `the host ${url.hostname} is not on the public internet (a special-use address or name)`
  return undefined
}
