// Decides whether the server may send a request to a URL that a caller has chosen: first by the text of the URL, then by the addresses of its host.
import { isLoopback } from '../hosts/loopback.js'
import { isSpecialUseAddress, isSpecialUseHost } from '../hosts/special-use.js'

/** Setting `outgoing`. */
export interface Outgoing {
  /** `off`: no request. `allowlist`: only to `allow`. `public`: to https on port 443 of public hosts, and to `allow`. */
  readonly mode: 'off' | 'allowlist' | 'public'
  /** `host:port` of each server that may have another port and a private address. */
  readonly allow: readonly string[]
}

export interface DestinationRules {
  readonly outgoing: Outgoing
  /** The registry itself, which gets no request. */
  readonly issuer: string
  /** With mode `public`, http and https on loopback are allowed too. */
  readonly dev: boolean
  /** Addresses of this machine. */
  readonly ownAddresses: readonly string[]
}

const MAX_URL_CHARACTERS = 2048

/** The URL that the text means, with its host in one form (without a final dot), or why no request may be sent to it. */
export function readDestination(rules: DestinationRules, text: string): URL | string {
  if (rules.outgoing.mode === 'off') return 'this registry sends no outgoing requests (setting `outgoing`)'
  // URL parsers disagree about white space, backslashes and control characters
  const isUrl = /^https?:\/\/[^\s\\\p{Cc}]+$/iu.test(text) && URL.canParse(text)
  if (!isUrl || new URL(text).href.length > MAX_URL_CHARACTERS) return 'expected an absolute https URL of at most 2048 characters'
  const url = new URL(text)
  url.hash = ''
  url.hostname = url.hostname.replace(/\.$/, '')
  return destinationFault(rules, url) ?? url
}

function destinationFault(rules: DestinationRules, url: URL): string | undefined {
  if (url.username !== '' || url.password !== '') return 'the URL must not contain a user name or password'
  if (hostAndPort(url) === hostAndPort(new URL(rules.issuer))) return 'the URL names this registry'
  if (isOnLoopback(rules, url)) return undefined
  if (url.protocol !== 'https:') return 'the URL must be https (http only on loopback, in development mode)'
  if (isListed(rules, url)) return undefined
  if (rules.outgoing.mode === 'allowlist') return `${hostAndPort(url)} is not in the list of this registry (setting \`outgoing.allow\`)`
  if (url.port !== '') return `port ${url.port} is not allowed: expected 443, or a host and port of the setting \`outgoing.allow\``
  return isSpecialUseHost(url.hostname) ? `the host ${url.hostname} is not on the public internet` : undefined
}

/** True if a request to the URL may connect to each of the addresses of its host. Of a mixture none is used. */
export function mayConnect(rules: DestinationRules, url: URL, addresses: readonly string[]): boolean {
  if (addresses.length === 0) return false
  if (isListed(rules, url)) return true
  if (isOnLoopback(rules, url)) return addresses.every((address) => isLoopback(address))
  return addresses.every((address) => !isSpecialUseAddress(address) && !rules.ownAddresses.includes(address))
}

const isListed = ({ outgoing }: DestinationRules, url: URL): boolean => outgoing.allow.some((entry) => entry === hostAndPort(url))

const isOnLoopback = ({ outgoing, dev }: DestinationRules, url: URL): boolean =>
  dev && outgoing.mode === 'public' && isLoopback(url.hostname)

/** `agents.acme.com:443`, in the form in which the setting lists it. */
const hostAndPort = (url: URL): string =>
  `${url.hostname.replace(/\.$/, '')}:${url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port}`

/** The canonical form of an entry of `outgoing.allow`; undefined if it is not `host:port`. */
export function readHostAndPort(text: string): string | undefined {
  const isHostAndPort = /^(\[[0-9A-Fa-f:.]+\]|[^\s/\\?#@:[\]]+):[0-9]{1,5}$/.test(text)
  return isHostAndPort && URL.canParse(`https://${text}`) ? hostAndPort(new URL(`https://${text}`)) : undefined
}
