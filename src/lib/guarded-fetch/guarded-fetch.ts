// The only way out of the server to an address that a caller can influence.
//
// The text of the URL is checked, its host is resolved once, every address is checked, and the connection goes to a checked address, while TLS
// verifies the host. So a name that later resolves to another address changes nothing. Redirects are followed only for purposes that allow
// them, each checked like the first URL. Bytes and time are limited, and nothing is decompressed.
//
// Every failure has the same text, so that a caller cannot use the registry to explore a network; the log names the cause.
// Limits: CONNECT_MS and TOTAL_MS for each call, MAX_RUNNING calls at once, and the rates that `takeRate` counts.
import { networkInterfaces } from 'node:os'
import { type Refusal, refuse } from '../../errors.js'
import type { Clock } from '../clock.js'
import type { Resolver } from '../hosts/resolver.js'
import type { Log } from '../log.js'
import type { Metrics } from '../telemetry/metrics.js'
import { inClientSpan, traceHeaders } from '../telemetry/tracing.js'
import { withTimeout } from '../timeout.js'
import { type DestinationRules, mayConnect, type Outgoing, readDestination } from './destination.js'
import { requestPinned } from './request.js'

/** The purposes of requests, with the largest response of each. A new row also needs a line in docs/OPERATIONS.md, "Outgoing requests". */
const PURPOSES = {
  /** An Agent Card to import. */
  card: { maxBytes: 65_536, maxRedirects: 3, accept: 'application/json' },
  /** The catalog of another site, to import a card from. */
  catalog: { maxBytes: 1_048_576, maxRedirects: 3, accept: 'application/json' },
  /** The proof that an organisation owns a name. */
  namespace: { maxBytes: 4096, maxRedirects: 0, accept: 'text/plain' },
  /** The metadata of a protected resource (RFC 9728). */
  resource: { maxBytes: 16_384, maxRedirects: 0, accept: 'application/json' },
  /** The agent's own copy of its card. */
  freshness: { maxBytes: 65_536, maxRedirects: 0, accept: 'application/json' },
  /** The metadata of a client whose `client_id` is their URL. */
  'client-document': { maxBytes: 5120, maxRedirects: 0, accept: 'application/json' },
  /** The keys that such metadata name. */
  'client-keys': { maxBytes: 65_536, maxRedirects: 0, accept: 'application/json' },
  /** A message to a webhook: every status 2xx will do, and no body is read. */
  webhook: { maxBytes: 0, maxRedirects: 0, accept: '*/*', anySuccess: true },
  /** Metadata, keys and token endpoint of an organisation's OpenID Provider. */
  'sign-in': { maxBytes: 65_536, maxRedirects: 0, accept: 'application/json' },
  /** Only shows that an endpoint answers: every status counts, and no body is read. */
  endpoint: { maxBytes: 0, maxRedirects: 0, accept: '*/*', anyStatus: true },
} as const

export interface FetchRequest {
  readonly url: string
  readonly purpose: keyof typeof PURPOSES
  /** Absent for a request of the schedule. */
  readonly cause?: Cause | undefined
  /** Sent by POST, with its headers, `content-type` among them. Default: a GET request. */
  readonly message?: { readonly body: string; readonly headers: Readonly<Record<string, string>> } | undefined
}

/**
 * What causes a request, for its rates: a client of an organisation; the address prefix of an anonymous caller; a URL that the registry has to
 * fetch again, perhaps early because an assertion has an unknown `kid`; the URL of a webhook; or an issuer with which people sign in.
 */
export type Cause =
  | { readonly id: string; readonly orgId: string }
  | { readonly address: string }
  | { readonly knownUrl: string; readonly isForKid: boolean }
  | { readonly webhookUrl: string }
  | { readonly issuerId: string }

export interface OutgoingRequest extends Pick<FetchRequest, 'purpose' | 'cause'> {
  readonly host: string
}

interface FetchedResponse {
  /** The URL that answered, after redirects. */
  readonly url: string
  readonly body: Uint8Array
  readonly contentType: string
  /** Header `cache-control`; empty without one. */
  readonly cacheControl: string
}

/**
 * Sends a GET request, or a message by POST. Refuses with `url_not_allowed` if no request may be sent to the URL, with `rate_limited` past a rate, and with
 * `fetch_failed` for every response that is not a complete, unencoded one with status 200 of at most the size of the purpose. For the purpose
 * `endpoint`, any response will do.
 */
export type GuardedFetch = (request: FetchRequest) => Promise<FetchedResponse>

export interface GuardedFetchDeps {
  readonly outgoing: Outgoing
  readonly issuer: string
  readonly dev: boolean
  readonly resolver: Pick<Resolver, 'addresses'>
  readonly clock: Pick<Clock, 'after'>
  readonly log: Pick<Log, 'info'>
  /** Counts a request, or returns the refusal that it gets. */
  readonly takeRate: (request: OutgoingRequest) => Refusal | undefined
  /** Certificate authorities. Default: those of Node. */
  readonly ca?: string | undefined
  readonly metrics?: Metrics | undefined
}

const CONNECT_MS = 3000
const TOTAL_MS = 5000
const MAX_RUNNING = 32

export function newGuardedFetch(deps: GuardedFetchDeps): GuardedFetch {
  let running = 0
  return async (request) => {
    const url = readDestination(rulesOf(deps), request.url)
    if (typeof url === 'string') return refuse('url_not_allowed', url, { faults: [{ pointer: '/url', hint: url }] })
    const { purpose, cause, message } = request
    const refusal = deps.takeRate({ host: url.hostname, purpose, cause })
    if (refusal) throw refusal
    if (running >= MAX_RUNNING)
      return refuse('unavailable', 'too many outgoing requests are in progress, retry in 5 s', { retryAfterSeconds: 5 })
    running++
    const ended = new AbortController()
    try {
      const following = { ...PURPOSES[purpose], purpose, cause, message, signal: ended.signal }
      const fetching = inClientSpan(`fetch ${purpose}`, () => fetchFollowing(deps, url, following))
      const response = await withTimeout(deps.clock, TOTAL_MS, 'the request', fetching)
      deps.metrics?.outgoing.inc({ purpose, outcome: 'ok' })
      return response
    } catch (error) {
      deps.metrics?.outgoing.inc({ purpose, outcome: 'failed' })
      deps.log.info('an outgoing request failed', { 'url.host': url.host, purpose, cause: messageOf(error) })
      return refuse('fetch_failed', `cannot fetch ${url}: ${EXPECTED}`)
    } finally {
      running--
      ended.abort()
    }
  }
}

const EXPECTED =
  'expected a public host that answers within 5 seconds with status 200 and an uncompressed response that is not too large (the log of the registry names the cause)'

interface Following extends Pick<FetchRequest, 'purpose' | 'cause' | 'message'> {
  readonly accept: string
  readonly anyStatus?: boolean
  readonly anySuccess?: boolean
  readonly maxBytes: number
  readonly maxRedirects: number
  /** Aborts when the call has ended, so that a connection in progress is closed. */
  readonly signal: AbortSignal
}

async function fetchFollowing(deps: GuardedFetchDeps, first: URL, following: Following): Promise<FetchedResponse> {
  let url = first
  for (let redirects = 0; ; redirects++) {
    const response = await fetchOnce(deps, url, following)
    if ('body' in response) return { url: url.href, ...response }
    if (redirects >= following.maxRedirects) throw new Error(`more than ${following.maxRedirects} redirects`)
    const next = readDestination(rulesOf(deps), new URL(response.location, url).href)
    if (typeof next === 'string') throw new Error(`redirect: ${next}`)
    const refusal = deps.takeRate({ host: next.hostname, purpose: following.purpose, cause: following.cause })
    if (refusal) throw refusal
    url = next
  }
}

async function fetchOnce(deps: GuardedFetchDeps, url: URL, { accept, anyStatus, anySuccess, maxBytes, message, signal }: Following) {
  const addresses = await addressesOf(deps, url)
  if (!mayConnect(rulesOf(deps), url, addresses))
    throw new Error(`the host has an address that is not public (${addresses.join(', ') || 'none'})`)
  const connected = new AbortController()
  const late = new AbortController()
  void deps.clock.after(CONNECT_MS, connected.signal).then(() => {
    if (!connected.signal.aborted) late.abort(new Error(`no connection after ${CONNECT_MS} ms`))
  })
  try {
    return await requestPinned({
      url,
      addresses,
      headers: { accept, 'user-agent': `credence (${deps.issuer})`, ...traceHeaders(), ...message?.headers },
      body: message?.body,
      maxBytes,
      anyStatus,
      anySuccess,
      ca: deps.ca,
      signal: AbortSignal.any([signal, late.signal]),
      onConnected: () => connected.abort(),
    })
  } catch (error) {
    throw late.signal.aborted ? late.signal.reason : error
  } finally {
    connected.abort()
  }
}

async function addressesOf({ resolver, clock }: GuardedFetchDeps, { hostname }: URL): Promise<readonly string[]> {
  if (hostname.startsWith('[')) return [hostname.slice(1, -1)]
  if (/^[\d.]+$/.test(hostname)) return [hostname]
  return withTimeout(clock, CONNECT_MS, 'the DNS look-up', resolver.addresses(hostname))
}

const rulesOf = ({ outgoing, issuer, dev }: GuardedFetchDeps): DestinationRules => ({
  outgoing,
  issuer,
  dev,
  ownAddresses: Object.values(networkInterfaces()).flatMap((interfaces) => (interfaces ?? []).map(({ address }) => address)),
})

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
