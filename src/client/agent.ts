import type { Signer } from '../credentials/jose/sign.js'
import { type Clock, clientClock } from '../lib/clock.js'
import { printable } from '../lib/io/printable.js'
import type { JsonObject } from '../lib/json.js'
import { type Random, systemRandom } from '../lib/random.js'
import type { Verdict } from '../protocol/cards/card-view.js'
import type { RevocationReason } from '../protocol/end-reason.js'
import type { AgentId, OrgId, TaskId } from '../protocol/ids.js'
import type { Delegation } from '../protocol/rights.js'
import { type Calls, newCalls } from './call.js'
import { type Cards, newCards } from './cards.js'
import { type Feed, type FeedDeps, openFeed } from './feed.js'
import { newFetchAs } from './fetch-as.js'
import type { Fetch } from './http.js'
import { type Introductions, newIntroductions } from './introductions/introductions.js'
import { newPins } from './pins.js'
import { fetchKeys, fetchMetadata, issuerOf, type RegistryMetadata } from './registry.js'
import { type AccessToken, type ExchangeOptions, newTokens, type RootOptions } from './tokens.js'

export interface AgentOptions {
  /** The registry's issuer URL. */
  readonly issuer: string
  /** The agent id or member id. */
  readonly clientId: string
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
  /** Called when background work (the feed or `introductions.watch`) fails. Default: a warning on the console. */
  readonly onError?: ((error: unknown) => void) | undefined
}

export interface SearchOptions {
  readonly text?: string
  readonly skill?: string
  readonly tags?: readonly string[]
  readonly limit?: number
  readonly cursor?: string
}

/** A search result with everything that is needed to call the agent. */
export interface Hit {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly audience: string
  readonly endpoint?: string
  readonly scopes: readonly string[]
  readonly verdict: Verdict
  readonly tier: 'public' | 'authenticated' | 'introduced'
  readonly score: number
  /** The parts of the card that contain a word of the query: name, tags, skills, description. */
  readonly relevance: readonly string[]
  readonly text: { readonly name: string; readonly description: string; readonly version: string }
  readonly skills: readonly { readonly id: string; readonly name: string; readonly tags: readonly string[] }[]
}

export interface Tasks {
  create(task: {
    readonly description: string
    readonly parentTaskId?: string
    readonly seconds?: number
  }): Promise<{ taskId: TaskId; deadline: number }>
  end(taskId: string, because?: Partial<RevocationReason>): Promise<{ position: string }>
  get(taskId: string): Promise<Task>
}

/** How something ended; absent while it stands. Times are in epoch seconds. */
interface Ended extends Partial<RevocationReason> {
  readonly endedAt?: number
  readonly endedBy?: string
}

interface Task extends Ended {
  readonly taskId: TaskId
  readonly state: 'active' | 'ended' | 'expired'
  readonly description: string
  readonly deadline: number
}

export interface LineageNode extends Ended {
  readonly tokenId: string
  readonly parents: readonly string[]
  readonly clientId: string
  readonly sub: string
  readonly audience: string
  readonly scope: string
  /** The actors in the order in which the token passed through them. */
  readonly act: readonly string[]
  readonly taskId?: string
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  readonly delegation?: Delegation
  /** True if the token was revoked before it expired. */
  readonly revoked: boolean
}

/** A client of a registry: an agent, or a member at a command line. */
export interface Agent extends Calls, Cards {
  readonly issuer: string
  readonly clientId: string
  /** A root token, which is accepted by the registry only. */
  token(scopes?: readonly string[], options?: RootOptions): Promise<AccessToken>
  /** A token for one peer, with at most the rights of the subject token (RFC 8693). */
  exchange(options: ExchangeOptions): Promise<AccessToken>
  introspect(token: string): Promise<JsonObject>
  revoke(token: string, because?: Partial<RevocationReason>): Promise<void>
  search(options?: SearchOptions): Promise<{ readonly hits: readonly Hit[]; readonly total: number; readonly cursor?: string }>
  readonly introductions: Introductions
  introduce: Introductions['introduce']
  readonly tasks: Tasks
  /** At most 500 tokens; `query('tokens.lineage', …)` also returns whether the list is complete. */
  lineage(subject: { readonly taskId: string } | { readonly tokenId: string }): Promise<readonly LineageNode[]>
  /** A `fetch` for one peer, which sends a token for that peer with each request. */
  fetchAs(peer: ExchangeOptions): Fetch
  /** Follows the revocation feed. */
  subscribe(options?: Pick<FeedDeps, 'store' | 'onRevoked' | 'onError'>): Promise<Feed>
}

/** Creates the client of one agent or member. The client sends nothing until a method is called. */
export function createAgent(options: AgentOptions): Agent {
  const { clientId, signer, publisher, onError } = options
  const issuer = issuerOf(options.issuer)
  const clock = options.clock ?? clientClock
  const random = options.random ?? systemRandom
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const http = { fetch, clock }
  const metadata = cached((): Promise<RegistryMetadata> => fetchMetadata(http, issuer))
  const pins = newPins(options.pins, () => fetchKeys(http, issuer), clock)
  const deps = { ...http, issuer, clientId, signer, clock, random, metadata }
  const tokens = newTokens(deps)
  const calls = newCalls(deps, tokens)
  let feed: Feed | undefined
  const cards = newCards({ ...deps, publisher, pins, ended: () => feed?.ended }, calls)
  const introductions = newIntroductions({ clock, issuer, onError: onError ?? warnOnConsole() }, calls)
  return {
    issuer,
    clientId,
    ...calls,
    ...cards,
    token: tokens.root,
    exchange: tokens.exchange,
    introspect: (token) => tokens.post('introspection_endpoint', { token }),
    revoke: async (token, { reason, note } = {}) => {
      await tokens.post('revocation_endpoint', { token, ...(reason && { reason }), ...(note && { note }) })
    },
    search: (query = {}) => calls.query('discovery.search', query),
    introductions,
    introduce: introductions.introduce,
    tasks: {
      create: ({ seconds, ...task }) =>
        calls.mutate('tasks.create', { ...task, ...(seconds !== undefined && { deadline: clock.now() + seconds }) }),
      end: (taskId, because) => calls.mutate('tasks.end', { taskId, ...because }),
      get: (taskId) => calls.query('tasks.get', { taskId }),
    },
    lineage: async (subject) => (await calls.query<{ nodes: LineageNode[] }>('tokens.lineage', subject)).nodes,
    fetchAs: (peer) => newFetchAs(deps, () => tokens.exchange(peer)),
    subscribe: async (feedOptions = {}) => {
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
