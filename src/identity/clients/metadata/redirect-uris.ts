import { type Fault, refuse } from '../../../errors.js'
import { isLoopback } from '../../../lib/hosts/loopback.js'
import { isPlainName } from '../../../protocol/names.js'

const MAX_CHARACTERS = 2048

/**
 * What is wrong with a redirect URI; undefined if a client may register it. Redirect URIs are compared byte for byte, so one is registered only in the
 * form in which every URL parser reads it alike: the canonical one.
 *
 * @see [RFC 9700 §4.1](https://www.rfc-editor.org/rfc/rfc9700.html#section-4.1), [RFC 8252 §7](https://www.rfc-editor.org/rfc/rfc8252.html#section-7)
 */
export function redirectUriFault(text: string, allowedHosts?: readonly string[]): string | undefined {
  if (text.length > MAX_CHARACTERS) return `must have at most ${MAX_CHARACTERS} characters`
  if (!/^[!-~]+$/.test(text) || text.includes('\\')) return 'must be printable ASCII without spaces and backslashes'
  if (text.includes('#')) return 'must not have a fragment'
  if (text.includes('*')) return 'must not have a wildcard'
  if (!URL.canParse(text)) return 'must be an absolute URI'
  const url = new URL(text)
  if (url.username !== '' || url.password !== '' || /^[^/?]*\/\/[^/?]*@/.test(text)) return 'must not have a user name or password'
  const schemeFault = faultOfScheme(url)
  if (schemeFault !== undefined) return schemeFault
  const [beforeQuery = ''] = text.split('?')
  const path = beforeQuery.replace(/^[^/]*:(\/\/[^/]*)?\/?/, '').replace(/\/$/, '')
  if (path !== '' && !isPlainName(path)) return 'must not have an empty or dot segment in its path, in any encoding'
  if (url.href !== text && url.href !== `${text}/`) return `must be in canonical form: ${url.href.slice(0, 256)}`
  if (allowedHosts && !allowedHosts.includes(url.hostname)) return 'must have a host that the initial access token allows'
  return undefined
}

function faultOfScheme({ protocol, hostname }: URL): string | undefined {
  if (protocol === 'https:') return hostname.endsWith('.') ? 'must not have a host with a final dot' : undefined
  if (protocol === 'http:') return isLoopback(hostname) ? undefined : 'must be https (http only on loopback)'
  // RFC 8252 §7.1: a reversed domain name. `javascript:`, `data:`, `file:` and `blob:` have no dot.
  return /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/.test(protocol) ? undefined : 'must have the scheme https, or a private-use scheme with a dot'
}

/** The redirect URIs that a member gives an agent, under the rule of `redirectUriFault`. */
export function requireRedirectUris(uris: readonly string[]): string[] {
  const faults = uris.flatMap((uri, i): Fault[] => {
    const hint = redirectUriFault(uri)
    return hint === undefined ? [] : [{ pointer: `/redirectUris/${i}`, hint }]
  })
  return faults.length === 0 ? [...uris] : refuse('invalid_redirect_uri', 'a redirect URI cannot be registered', { faults })
}

/** Port and rest of a redirect URI to an application on the device of the person. */
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(?::\d{1,5})?(\/.*)?$/

/**
 * True if `uri` equals a registered one byte for byte. Only the port of a loopback URI may differ, because the application learns it when it starts
 * to listen.
 *
 * @see [RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252.html#section-7.3), [RFC 9700 §2.1](https://www.rfc-editor.org/rfc/rfc9700.html#section-2.1)
 */
export function isRegisteredRedirectUri(registered: readonly string[], uri: string): boolean {
  if (registered.includes(uri)) return true
  const given = LOOPBACK.exec(uri)
  if (!given || redirectUriFault(uri) !== undefined) return false
  return registered.some((one) => {
    const known = LOOPBACK.exec(one)
    return known !== null && known[1] === given[1] && known[2] === given[2]
  })
}
