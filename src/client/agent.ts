import type { Signer } from '../credentials/jose/sign.js'
import { refuse } from '../errors.js'
import { type Clock, clientClock } from '../lib/clock.js'
import { printable } from '../lib/io/printable.js'
import type { JsonObject } from '../lib/json.js'
import { type Random, systemRandom } from '../lib/random.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import { SEARCH_OPTIONS, type SearchOptions, type SearchResult } from '../protocol/search.js'
import { type Approvals, newApprovals } from './approvals/approvals.js'
import { type Calls, newCalls } from './call.js'
import { type Cards, newCards } from './cards.js'
import { type Consents, newConsents } from './consents.js'
import { type Feed, type FeedDeps, openFeed } from './feed.js'
import { newFetchAs } from './fetch-as.js'
import { type Fetch, traced } from './http.js'
import { type Introductions, newIntroductions } from './introductions/introductions.js'
import { type KeyRotated, ROTATE_OPTIONS, type RotateOptions, replaceableSigner, requestRotation } from './keys/rotate-key.js'
import { newPins } from './pins.js'
import { fetchKeys, fetchMetadata, issuerOf, type RegistryMetadata } from './registry.js'
import { type LineageNode, type LineageSubject, newTasks, readLineage, type Tasks } from './tasks.js'
import { type AccessToken, EXCHANGE_OPTIONS, type ExchangeOptions, newTokens, type RootOptions, type TokenStore } from './tokens.js'
import {
  type IntrospectOptions,
  introspectionOf,
  listTokens,
  type RevokeOptions,
  revocationOf,
  type Settled,
  type SettleOptions,
  settleToken,
  type TokenListOptions,
  type Verification,
  type VerifyOptions,
  verifyToken,
} from './verify.js'

export interface AgentOptions {
  /** The registry's issuer URL. */
  readonly issuer: string
  /** The agent id or member id. */
  readonly clientId: string
  /** The agent as which a client acts whose id is the URL of its metadata, if several organisations have admitted it. */
  readonly agentId?: string | undefined
  /** Signs with the registered key. */
  readonly signer: Signer
  /** Signs cards with the organisation's publisher key. Default: the client signs cards with its own key. */
  readonly publisher?: Signer | undefined
  /**
   * The registry's public keys (JWKs). Default: the keys that the registry serves at first use, read again if a signature does not
   * verify.
   */
  readonly pins?: readonly Readonly<Record<string, unknown>>[] | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly fetch?: Fetch | undefined
  /** Keeps the root token between two runs of a program. Default: each run requests a new one. */
  readonly tokenStore?: TokenStore | undefined
  /** Called when background work (the feed or `introductions.watch`) fails. Default: a warning on the console. */
  readonly onError?: ((error: unknown) => void) | undefined
}

const AGENT_OPTIONS: OptionNames<AgentOptions> = {
  issuer: true,
  clientId: true,
  agentId: true,
  signer: true,
  publisher: true,
  pins: true,
  clock: true,
  random: true,
  fetch: true,
  tokenStore: true,
  onError: true,
}

type SubscribeOptions = Pick<FeedDeps, 'store' | 'onRevoked' | 'onError'>

const SUBSCRIBE_OPTIONS: OptionNames<SubscribeOptions> = { store: true, onRevoked: true, onError: true }

/** A client of a registry: an agent, or a member at a command line. */
export interface Agent extends Calls, Cards {
  readonly issuer: string
  readonly clientId: string
  /** A root token, which is accepted by the registry only. */
  token(scopes?: readonly string[], options?: RootOptions): Promise<AccessToken>
  /** A token for one peer, with at most the rights of the subject token (RFC 8693). */
  exchange(options: ExchangeOptions): Promise<AccessToken>
  introspect(token: string, options?: IntrospectOptions): Promise<JsonObject>
  /** Checks whether a token, such as one that this agent was called with, fits a call. */
  verifyToken(token: string, call?: VerifyOptions): Promise<Verification>
  /** The tokens of a client, task, introduction or audience, newest first. */
  listTokens(options: TokenListOptions): Promise<{ readonly items: readonly LineageNode[]; readonly cursor?: string }>
  /**
   * Returns what a token for this agent, or for a resource that it operates, has not used to the budget of its task: once, until an hour after the token
   * has expired. A token that has not expired is revoked.
   */
  settleToken(tokenId: string, settlement: SettleOptions): Promise<Settled>
  revoke(token: string, options?: RevokeOptions): Promise<void>
  /** Agents whose cards have words of a text, such as a task in a sentence, and that match all filters. */
  search(options?: SearchOptions): Promise<SearchResult>
  /** Completes the last word of a text. */
  suggest(text: string, limit?: number): Promise<readonly string[]>
  readonly introductions: Introductions
  introduce: Introductions['introduce']
  /** Pending decisions, and the approvals of tokens. */
  readonly approvals: Approvals
  readonly tasks: Tasks
  readonly consents: Consents
  /** At most 500 tokens; `query('tokens.lineage', …)` also returns whether the list is complete. */
  lineage(subject: LineageSubject): Promise<readonly LineageNode[]>
  /**
   * A `fetch` for one peer, an agent or a protected resource, which sends a token for that peer with each request. If the peer answers that the token
   * lacks scopes, one with these is requested: `scope` is what the first token has, and the ceiling of this agent bounds the others.
   */
  fetchAs(peer: ExchangeOptions): Fetch
  /**
   * Replaces the client's key: the old key signs for the new one, and this object uses the new one from then on. Store the new key before the call; if
   * the response is lost, call again with the same key. A client that signs its own cards, or presents them, publishes its card again.
   */
  rotateKey(signer: Signer, options?: RotateOptions): Promise<KeyRotated>
  /** Replaces the publisher key of the organisation (administrators). Cards that the old key signed must be published again before it retires. */
  rotatePublisherKey(orgId: string, publisher: Signer, options?: RotateOptions): Promise<KeyRotated>
  /** Follows the revocation feed. */
  subscribe(options?: SubscribeOptions): Promise<Feed>
}

/** Creates the client of one agent or member. The client sends nothing until a method is called. */
export function createAgent(options: AgentOptions): Agent {
  requireOptions('createAgent', options, AGENT_OPTIONS)
  const { clientId, agentId, tokenStore, onError } = options
  const signer = replaceableSigner(options.signer)
  const publisher = options.publisher && replaceableSigner(options.publisher)
  const issuer = issuerOf(options.issuer)
  const clock = options.clock ?? clientClock
  const random = options.random ?? systemRandom
  const fetch = traced(options.fetch ?? ((input, init) => globalThis.fetch(input, init)))
  const http = { fetch, clock }
  const metadata = cached((): Promise<RegistryMetadata> => fetchMetadata(http, issuer))
  const pins = newPins(options.pins, () => fetchKeys(http, issuer), clock)
  const deps = { ...http, issuer, clientId, agentId, signer, clock, random, metadata, tokenStore }
  const tokens = newTokens(deps)
  const calls = newCalls(deps, tokens)
  let feed: Feed | undefined
  const cards = newCards({ ...deps, publisher, pins, ended: () => feed?.ended }, calls)
  const watchDeps = { clock, issuer, onError: onError ?? warnOnConsole() }
  const introductions = newIntroductions(watchDeps, calls)
  return {
    issuer,
    clientId,
    ...calls,
    ...cards,
    token: tokens.root,
    exchange: tokens.exchange,
    introspect: async (token, introspection = {}) => tokens.post('introspection_endpoint', introspectionOf(token, introspection)),
    verifyToken: (token, call = {}) => verifyToken(calls, token, call),
    listTokens: (filter) => listTokens(calls, filter),
    settleToken: (tokenId, settlement) => settleToken(calls, tokenId, settlement),
    revoke: async (token, revocation = {}) => {
      await tokens.post('revocation_endpoint', revocationOf(token, revocation))
    },
    search: async (query = {}) => {
      requireOptions('search', query, SEARCH_OPTIONS)
      return calls.query('discovery.search', query)
    },
    suggest: async (text, limit) => {
      const found = await calls.query<{ suggestions: readonly string[] }>('discovery.suggest', {
        text,
        ...(limit !== undefined && { limit }),
      })
      return found.suggestions
    },
    introductions,
    introduce: introductions.introduce,
    approvals: newApprovals(watchDeps, calls),
    tasks: newTasks(clock, calls),
    consents: newConsents(calls),
    lineage: (subject) => readLineage(calls, subject),
    fetchAs: (peer) => {
      requireOptions('fetchAs', peer, EXCHANGE_OPTIONS)
      return newFetchAs(deps, (scope) => tokens.exchange(scope === undefined ? peer : { ...peer, scope }))
    },
    rotateKey: async (to, rotation = {}) => {
      requireOptions('rotateKey', rotation, ROTATE_OPTIONS)
      const rotated = await requestRotation(deps, calls, { owner: clientId, from: signer, to }, rotation)
      signer.replace(to)
      tokens.discardRootTokens()
      return rotated
    },
    rotatePublisherKey: async (orgId, to, rotation = {}) => {
      requireOptions('rotatePublisherKey', rotation, ROTATE_OPTIONS)
      const from = publisher ?? refuse('bad_input', 'publisher: rotating a publisher key needs the old one, which signs for the new one')
      const rotated = await requestRotation(deps, calls, { owner: orgId, from, to }, rotation)
      from.replace(to)
      return rotated
    },
    subscribe: async (feedOptions = {}) => {
      requireOptions('subscribe', feedOptions, SUBSCRIBE_OPTIONS)
      feed = await openFeed({
        onError,
        ...feedOptions,
        clock,
        random,
        url: async () => (await metadata()).credence_revocations,
        ticket: async () => (await calls.mutate<{ ticket: string }>('system.ticket')).ticket,
      })
      return feed
    },
  }
}

/** Reads once. After a failure, the next call reads again. */
function cached<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined
  return () => {
    result ??= read().catch((error: unknown) => {
      result = undefined
      throw error
    })
    return result
  }
}

/** Prints a repeated error once: a registry that is down fails every attempt in the same way. */
function warnOnConsole(): (error: unknown) => void {
  let last: string | undefined
  return (error) => {
    const text = printable(String(error))
    if (text !== last) console.warn(`credence: ${text}`)
    last = text
  }
}
