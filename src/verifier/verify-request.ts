import type { Feed } from '../client/feed.js'
import { fetchKeys, issuerOf } from '../client/registry.js'
import { consumeProof, verifyDpopProof } from '../credentials/jose/dpop.js'
import type { VerificationKey } from '../credentials/jose/jwk.js'
import { newJwksCache } from '../credentials/jose/jwks-cache.js'
import { verifyAccessToken } from '../credentials/jose/token-types.js'
import { isRefusal, refuse } from '../errors.js'
import { type Clock, systemClock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import { type AccessTokenClaims, chainOf, handlesOf } from '../protocol/claims.js'
import { handleOfRegistryKey } from '../protocol/handles.js'
import { Jkt, type TaskId } from '../protocol/ids.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import { faultOfResourceUri, resourceUriOf } from '../protocol/resources/uri.js'
import { Restrictions } from '../protocol/rights.js'
import { credentialsOf, type IncomingRequest } from './incoming-request.js'
import { NEEDS, type Needs, requireNeeds } from './needs.js'
import { OpenRequests, type WatchedToken } from './open-requests.js'
import { newPublicUrl, type Proxies } from './public-url.js'
import { type Freshness, type StandingSource, standingByFeed, standingByIntrospection } from './standing.js'
import { memoryStores, type ReplayStore, type TaskBindingStore } from './stores.js'

export interface VerifierOptions {
  /** The registry's issuer URL. */
  readonly issuer: string
  /** The audience URI of this agent: `<issuer>/agents/<agent id>`. Either `audience` or `resource`. */
  readonly audience?: string
  /** The URI of this server as a protected resource, as it was registered (`resources.register`). */
  readonly resource?: string
  /** Accepts bearer tokens too, which any holder of a copy can use. Only with `resource`, and if the registration allows them. Default: false. */
  readonly allowBearer?: boolean
  /** The URL under which callers reach this server, including a path prefix that a proxy removes. DPoP proofs must name it. */
  readonly publicUrl: string
  /** Trusted proxies: their forwarded scheme and host replace those of `publicUrl`. Default: none, so forwarded headers are ignored. */
  readonly proxies?: Proxies
  /** How the verifier learns of revocations: the feed or, without a WebSocket, introspection by this agent's own client. */
  readonly standing: Feed | { readonly introspect: (token: string) => Promise<JsonObject> }
  /**
   * Restrictions of tokens that this verifier enforces, as they were registered for the agent or resource. `max_calls` counts the calls with a token in
   * `replay`, which all replicas must share. Default: none, and a token with such a restriction is refused.
   */
  readonly understands?: Restrictions
  /** Used DPoP proofs and counts of calls. Default: in memory, lost at a restart. */
  readonly replay?: ReplayStore
  /** A2A task bindings. Default: in memory, lost at a restart. */
  readonly taskBindings?: TaskBindingStore
  /** Maximum age in milliseconds of the newest information about revocations; if it is older, requests get 503. Default: 1000. */
  readonly maxStalenessMs?: number
  /** The registry's token keys. Default: read from its JWKS. */
  readonly keys?: readonly VerificationKey[]
  readonly clock?: Clock
  readonly fetch?: typeof globalThis.fetch
  /** Called with a bug, such as a store that fails; the request gets 500. Default: `console.error`. */
  readonly onBug?: (error: unknown) => void
}

const VERIFIER_OPTIONS: OptionNames<VerifierOptions & { close?: unknown }> = {
  issuer: true,
  audience: true,
  resource: true,
  allowBearer: true,
  publicUrl: true,
  proxies: true,
  standing: true,
  understands: true,
  replay: true,
  taskBindings: true,
  maxStalenessMs: true,
  keys: true,
  clock: true,
  fetch: true,
  onBug: true,
  // `...sqliteVerifierStore(file)` brings it.
  close: true,
}

/** A verified request. */
export interface Verified {
  readonly claims: AccessTokenClaims
  /** The subject, followed by each actor in the order in which the token passed through them. */
  readonly chain: readonly string[]
  readonly taskId: TaskId | undefined
  /** The token. If it allows delegation, use it as the subject token of an exchange. */
  readonly accessToken: string
  /** The number of calls that were accepted with the token, this one included, if the token limits it. For `settleToken`. */
  readonly calls?: number
}

export interface VerifyOptions {
  /** False for a request that is no call, such as a handshake: a token that limits calls is then not charged. Default: true. */
  readonly isCall?: boolean
}

const VERIFY_OPTIONS: OptionNames<VerifyOptions> = { isCall: true }

export interface Verifier {
  /**
   * Checks the token, its proof, its standing, replay of the proof, the needs and the number of calls, in this order. Throws a Refusal if a check fails.
   */
  verify(request: IncomingRequest, needs?: Needs, options?: VerifyOptions): Promise<Verified>
  /**
   * Calls `onInvalid` once when the token of a verified request expires, when something that it depends on is revoked, or when its standing
   * has not been confirmed for `maxStalenessMs`. For responses that stay open; the guards of this module call it. Returns a function that ends
   * the watch: call it when the response is complete.
   */
  watch(verified: Verified, onInvalid: () => void): () => void
  readonly taskBindings: TaskBindingStore
  readonly audience: string
  readonly allowBearer: boolean
  readonly issuer: string
  readonly publicUrl: string
  readonly onBug: (error: unknown) => void
}

/** The watched tokens of verified requests, for every verifier of this process: one may verify a request and another may watch it. */
const watchedTokens = new WeakMap<Verified, WatchedToken>()

const MAX_STALENESS_MS = 1000
/** A used proof, and a count of calls, is retained this long after it expires, because replicas that share a replay store have clocks of their own. */
const REPLICA_SKEW_SECONDS = 60
/**
 * Unknown `kid`s make the verifier read the registry's keys at most once in this time. A request with an unknown `kid` that comes before the
 * next read gets 503, because its key may be a new one.
 */
const REREAD_MS = 1000

/**
 * Creates the verifier of one agent. A request costs two signature checks and one insert into the replay store. The verifier asks the
 * registry only if the keys or the revocations in memory are too old.
 *
 * @see [RFC 9449 §7](https://www.rfc-editor.org/rfc/rfc9449.html#section-7)
 */
export function createVerifier(options: VerifierOptions): Verifier {
  requireOptions('createVerifier', options, VERIFIER_OPTIONS)
  const { issuer, audience } = namesOf(options)
  const { allowBearer = false } = options
  const publicUrlOf = newPublicUrl(options.publicUrl, options.proxies)
  const clock = options.clock ?? systemClock
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const { maxStalenessMs = MAX_STALENESS_MS } = options
  if (!(maxStalenessMs > 0 && Number.isFinite(maxStalenessMs)))
    refuse('bad_input', 'maxStalenessMs must be a number of milliseconds above 0')
  const freshness = { clock, maxStalenessMs }
  const standing = standingOf(options.standing, freshness)
  const openRequests = new OpenRequests({ standing, ...freshness })
  const memory = memoryStores(clock)
  const replay = options.replay ?? memory.replay
  const countCall = callCounter(replay, options.understands ?? [])
  const { keysFor } = newJwksCache({
    read: async () => options.keys ?? (await tokenKeys({ fetch, clock }, issuer)),
    clock,
    rereadMs: REREAD_MS,
    // The `kid` of a registry key is its thumbprint, so no key has another one
    hasEnded: (kid) => !Jkt.safeParse(kid).success || standing.hasEnded(handleOfRegistryKey(kid)),
    refuseForNow: () =>
      refuse('standing_unknown', 'cannot read the public keys of the registry again yet; retry later', { retryAfterSeconds: 1 }),
  })

  return {
    audience,
    allowBearer,
    issuer,
    publicUrl: options.publicUrl,
    taskBindings: options.taskBindings ?? memory.taskBindings,
    onBug: options.onBug ?? ((error) => console.error(error)),
    watch: (verified, onInvalid) => {
      const token = watchedTokens.get(verified) ?? refuse('invalid_token', 'only a request that verify() returned can be watched')
      return openRequests.watch(token, onInvalid)
    },
    verify: async (request, needs = {}, verifyOptions = {}) => {
      requireOptions('verify', verifyOptions, VERIFY_OPTIONS)
      requireOptions('verify: needs', needs, NEEDS)
      const { token, dpop } = credentialsOf(request, allowBearer)
      const now = Math.max(clock.now(), standing.time)
      const { claims, kid } = await withKeysOf(issuer, () => verifyAccessToken(token, keysFor, { issuer, audience, now }))
      const [path = ''] = request.url.split('?')
      // A target without a leading slash, appended to an origin, would name another host.
      if (!path.startsWith('/')) refuse('invalid_token', 'the request target must be a path that begins with "/"')
      const proof =
        dpop === undefined
          ? undefined
          : await verifyDpopProof(dpop, {
              htm: request.method,
              htu: publicUrlOf(request) + path,
              now: clock.now(),
              accessToken: token,
              reason: 'invalid_token',
            })
      requireUnderstood(claims, options.understands ?? [])
      // A bound token without its proof may have been stolen
      if (proof?.jkt !== claims.cnf?.jkt) refuse('invalid_token', 'the DPoP proof is not signed by the key that the token is bound to')
      const dependencies = { at: claims.standing.at, dependsOn: handlesOf(claims, kid) }
      const result = await standing.check(token, dependencies)
      switch (result.state) {
        case 'ended':
          return refuse('invalid_token', 'the token, or something that it depends on, has been revoked')
        case 'unknown':
          return refuse('standing_unknown', 'cannot confirm now that the token has not been revoked; retry later', { retryAfterSeconds: 1 })
        case 'stands':
      }
      // RFC 9449 §11.1: the proof is consumed last, so that a client whose request got 503 may retry with the same proof.
      if (proof && !(await consumeProof(proof, (name, expiresAt) => replay.consume(name, expiresAt), REPLICA_SKEW_SECONDS)))
        refuse('invalid_token', 'the DPoP proof has been used before')
      requireNeeds(claims, needs)
      const calls = verifyOptions.isCall === false ? undefined : await countCall(claims)
      const verified = {
        claims,
        chain: chainOf(claims),
        taskId: claims.task_id,
        accessToken: token,
        ...(calls !== undefined && { calls }),
      }
      watchedTokens.set(verified, { token, standing: dependencies, expiresAt: claims.exp, confirmedAtMs: result.asOfMs })
      return verified
    },
  }
}

/** Also refuses a promise: a feed without `await`. */
function standingOf(standing: VerifierOptions['standing'] | undefined, freshness: Freshness): StandingSource {
  if (standing && 'introspect' in standing && typeof standing.introspect === 'function')
    return standingByIntrospection(standing.introspect, freshness)
  if (standing && 'sync' in standing && typeof standing.sync === 'function') return standingByFeed(standing, freshness)
  return refuse('bad_input', 'standing: must be a feed (`await agent.subscribe()`) or an object with the function `introspect`')
}

/** Checks what a verifier says that it understands, and returns how it counts the call with a token that limits calls. */
function callCounter(replay: ReplayStore, understands: Restrictions): (claims: AccessTokenClaims) => Promise<number | undefined> {
  if (!Restrictions.safeParse(understands).success)
    refuse('bad_input', "understands: must be a list of restrictions; the only one is 'max_calls'")
  if (understands.includes('max_calls') && replay.count === undefined)
    refuse('bad_input', 'understands: max_calls needs a replay store that counts calls (`count`)')
  return async ({ jti, exp, max_calls }) => {
    if (max_calls === undefined) return undefined
    const calls = await replay.count?.(jti, max_calls, exp + REPLICA_SKEW_SECONDS)
    return (
      calls ??
      refuse(
        'insufficient_budget',
        `the ${max_calls} calls of the token are used up; request another one, unless the budget of its task is used up`,
      )
    )
  }
}

/** The registry issues no such token for an audience that has not registered the restriction. A server that ignored it would accept more than was granted. */
function requireUnderstood({ max_calls }: AccessTokenClaims, understands: Restrictions): void {
  if (max_calls !== undefined && !understands.includes('max_calls'))
    refuse(
      'invalid_token',
      "the token limits the number of calls (max_calls), which this server does not count: its verifier needs `understands: ['max_calls']`, or its registration must not list max_calls",
    )
}

/** The registry compares both as text, so a copied URL loses its trailing slashes, and the path of an audience its empty segments. */
function namesOf(options: Pick<VerifierOptions, 'issuer' | 'audience' | 'resource' | 'allowBearer'>): {
  readonly issuer: string
  readonly audience: string
} {
  const { audience, resource, allowBearer } = options
  if ((audience === undefined) === (resource === undefined)) refuse('bad_input', 'name either `audience`, for an agent, or `resource`')
  if (allowBearer !== undefined && resource === undefined) refuse('bad_input', 'allowBearer: only a `resource` can accept bearer tokens')
  const issuer = issuerOf(options.issuer)
  if (resource !== undefined) {
    const fault = faultOfResourceUri(resource, { issuer, dev: true })
    return fault === undefined ? { issuer, audience: resourceUriOf(resource) } : refuse('bad_input', `resource: ${fault}`)
  }
  if (audience === undefined || !URL.canParse(audience))
    return refuse('bad_input', `audience: ${JSON.stringify(audience)} is not a URI (expected "<issuer>/agents/<agent id>")`)
  return { issuer, audience: audience.replace(/(?<!:)\/+(?=\/|$)/g, '') }
}

async function tokenKeys(deps: Parameters<typeof fetchKeys>[0], issuer: string): Promise<readonly VerificationKey[]> {
  return (await fetchKeys(deps, issuer)).filter((jwk) => jwk.credence_use === 'token').map((jwk) => ({ jwk, alg: 'ES256' as const }))
}

/** Failing to read the registry's keys says nothing about the token, so the caller may retry. */
async function withKeysOf<T>(issuer: string, verify: () => Promise<T>): Promise<T> {
  try {
    return await verify()
  } catch (error) {
    if (isRefusal(error)) throw error
    return refuse('standing_unknown', `cannot fetch the public keys of the registry ${issuer}; retry later`, { retryAfterSeconds: 1 })
  }
}
