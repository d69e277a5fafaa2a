import type { Signer } from '../credentials/jose/sign.js'
import { type Clock, waitingClock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import { type Random, systemRandom } from '../lib/random.js'
import type { Verdict } from '../protocol/cards/card-view.js'
import type { AgentId, OrgId, TaskId } from '../protocol/ids.js'
import { type Calls, newCalls } from './call.js'
import { type Cards, newCards } from './cards.js'
import { type Feed, type FeedDeps, openFeed } from './feed.js'
import { newFetchAs } from './fetch-as.js'
import type { Fetch } from './http.js'
import { type Introductions, newIntroductions } from './introductions.js'
import { newPins } from './pins.js'
import { fetchKeys, fetchMetadata, issuerOf, type RegistryMetadata } from './registry.js'
import { type AccessToken, type ExchangeOptions, newTokens } from './tokens.js'

export interface AgentOptions {
  /** The registry. */
  readonly issuer: string
  /** Agent or member id. */
  readonly clientId: string
  /** The registered key: anything that signs. */
  readonly signer: Signer
  /** The organisation's publisher key, where this client signs cards with it. */
  readonly publisher?: Signer | undefined
  /** The registry's public keys (JWKs); absent: those of the first contact, read again after they rotate. */
  readonly pins?: readonly Readonly<Record<string, unknown>>[] | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
  readonly fetch?: Fetch | undefined
  /** Told what a loop in the background could not do. Default: a line on the console. */
  readonly onError?: ((error: unknown) => void) | undefined
}

export interface SearchOptions {
  readonly text?: string
  readonly skill?: string
  readonly tags?: readonly string[]
  readonly limit?: number
  readonly cursor?: string
}

/** A found agent, with all that a call needs. */
export interface Hit {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly audience: string
  readonly endpoint?: string
  readonly scopes: readonly string[]
  readonly verdict: Verdict
  readonly tier: 'public' | 'authenticated' | 'introduced'
  readonly score: number
  /** Where the words stand: name, tags, skills, description. */
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
  end(taskId: string): Promise<{ position: string }>
  get(taskId: string): Promise<{ taskId: TaskId; state: 'active' | 'ended' | 'expired'; description: string; deadline: number }>
}

export interface LineageNode {
  readonly tokenId: string
  readonly parents: readonly string[]
  readonly clientId: string
  readonly sub: string
  readonly audience: string
  readonly scope: string
  /** Who it passed through, the first first. */
  readonly act: readonly string[]
  readonly taskId?: string
  readonly ended: boolean
}

/** One client of a registry: an agent, or a person at a command line. */
export interface Agent extends Calls, Cards {
  readonly issuer: string
  readonly clientId: string
  /** A root token, for the registry itself. */
  token(scopes?: readonly string[]): Promise<AccessToken>
  /** A token for one peer, narrower than what it came from (RFC 8693). */
  exchange(options: ExchangeOptions): Promise<AccessToken>
  introspect(token: string): Promise<JsonObject>
  revoke(token: string): Promise<void>
  search(options?: SearchOptions): Promise<{ readonly hits: readonly Hit[]; readonly total: number; readonly cursor?: string }>
  readonly introductions: Introductions
  introduce: Introductions['introduce']
  readonly tasks: Tasks
  /** At most 500 tokens; `query('tokens.lineage', of)` also says whether these are all. */
  lineage(of: { readonly taskId: string } | { readonly tokenId: string }): Promise<readonly LineageNode[]>
  /** A `fetch` for one peer, under a token that fits it. */
  fetchAs(peer: ExchangeOptions): Fetch
  /** Follows the feed of endings. */
  subscribe(options?: Pick<FeedDeps, 'store' | 'onEnded' | 'onError'>): Promise<Feed>
}

export function createAgent(options: AgentOptions): Agent {
  const { clientId, signer, publisher } = options
  const issuer = issuerOf(options.issuer)
  const clock = options.clock ?? waitingClock
  const random = options.random ?? systemRandom
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const http = { fetch, clock }
  const metadata = remembered((): Promise<RegistryMetadata> => fetchMetadata(http, issuer))
  const pins = newPins(options.pins, () => fetchKeys(http, issuer), clock)
  const deps = { ...http, issuer, clientId, signer, clock, random, metadata }
  const tokens = newTokens(deps)
  const calls = newCalls(deps, tokens)
  let feed: Feed | undefined
  const cards = newCards({ ...deps, publisher, pins, ended: () => feed?.ended }, calls)
  const introductions = newIntroductions(clock, calls, options.onError ?? onConsole())
  return {
    issuer,
    clientId,
    ...calls,
    ...cards,
    token: tokens.root,
    exchange: tokens.exchange,
    introspect: (token) => tokens.post('introspection_endpoint', { token }),
    revoke: async (token) => {
      await tokens.post('revocation_endpoint', { token })
    },
    search: (query = {}) => calls.query('discovery.search', query),
    introductions,
    introduce: introductions.introduce,
    tasks: {
      create: ({ seconds, ...task }) =>
        calls.mutate('tasks.create', { ...task, ...(seconds !== undefined && { deadline: clock.now() + seconds }) }),
      end: (taskId) => calls.mutate('tasks.end', { taskId }),
      get: (taskId) => calls.query('tasks.get', { taskId }),
    },
    lineage: async (of) => (await calls.query<{ nodes: LineageNode[] }>('tokens.lineage', of)).nodes,
    fetchAs: (peer) => newFetchAs(deps, () => tokens.exchange(peer)),
    subscribe: async (how = {}) => {
      feed = await openFeed({
        onError: options.onError,
        ...how,
        clock,
        random,
        url: async () => (await metadata()).credence_revocations,
        ticket: async () => (await calls.mutate<{ ticket: string }>('system.ticket')).ticket,
      })
      return feed
    },
  }
}

/** Asked once; a failure is asked again. */
function remembered<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined
  return () => {
    known ??= ask().catch((error: unknown) => {
      known = undefined
      throw error
    })
    return known
  }
}

/** The same thing is said once in a row: a registry that is away is asked again and again. */
function onConsole(): (error: unknown) => void {
  let said: string | undefined
  return (error) => {
    const text = String(error)
    if (text !== said) console.warn(`credence: ${text}`)
    said = text
  }
}
