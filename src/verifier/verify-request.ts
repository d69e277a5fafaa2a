import type { Feed } from '../client/feed.js'
import { fetchKeys } from '../client/registry.js'
import { consumeProof, verifyDpopProof } from '../credentials/jose/dpop.js'
import type { VerificationKey } from '../credentials/jose/jwk.js'
import { newJwksCache } from '../credentials/jose/jwks-cache.js'
import { verifyAccessToken } from '../credentials/jose/token-types.js'
import { isRefusal, refuse } from '../errors.js'
import { type Clock, systemClock } from '../lib/clock.js'
import type { JsonObject } from '../lib/json.js'
import { type AccessTokenClaims, chainOf, handlesOf } from '../protocol/claims.js'
import { dpopTokenOf } from '../protocol/dpop.js'
import type { TaskId } from '../protocol/ids.js'
import { coveredBySome, parseScope } from '../protocol/rights.js'
import type { IncomingRequest } from './incoming-request.js'
import { newPublicUrl, type Proxies } from './public-url.js'
import { type StandingSource, standingByFeed, standingByIntrospection } from './standing.js'
import { memoryStores, type ReplayStore, type TaskBindingStore } from './stores.js'

export interface VerifierOptions {
  /** The registry's issuer URL. */
  readonly issuer: string
  /** The audience URI of this agent: `<issuer>/agents/<agent id>`. */
  readonly audience: string
  /** The URL under which callers reach this server, including a path prefix that a proxy removes. DPoP proofs must name it. */
  readonly publicUrl: string
  /** Trusted proxies: their forwarded scheme and host replace those of `publicUrl`. Default: none, so forwarded headers are ignored. */
  readonly proxies?: Proxies
  /** How the verifier learns of revocations: the feed or, without a WebSocket, introspection by this agent's own client. */
  readonly standing: Feed | { readonly introspect: (token: string) => Promise<JsonObject> }
  /** Used DPoP proofs. Default: in memory, lost at a restart. */
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

/** The rights that a request requires of its token. */
export interface Needs {
  readonly scope?: string
  readonly tool?: string
  readonly resource?: string
}

/** A verified request. */
export interface Verified {
  readonly claims: AccessTokenClaims
  /** The subject, followed by each actor in the order in which the token passed through them. */
  readonly chain: readonly string[]
  readonly taskId: TaskId | undefined
  /** The token. If it may be passed on, use it as the subject token of an exchange. */
  readonly accessToken: string
}

export interface Verifier {
  /**
   * Checks the token, its proof, its standing, replay of the proof and then the needs, in this order. Throws a Refusal if a check fails.
   */
  verify(request: IncomingRequest, needs?: Needs): Promise<Verified>
  readonly taskBindings: TaskBindingStore
  readonly onBug: (error: unknown) => void
}

const MAX_STALENESS_MS = 1000
/** Unknown `kid`s make the verifier read the registry's keys at most once in this time. */
const REREAD_MS = 30_000

/**
 * Creates the verifier of one agent. A request costs two signature checks and one insert into the replay store. The verifier asks the
 * registry only if the keys or the revocations in memory are too old.
 *
 * @see [RFC 9449 §7](https://www.rfc-editor.org/rfc/rfc9449.html#section-7)
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { issuer, audience } = options
  const publicUrlOf = newPublicUrl(options.publicUrl, options.proxies)
  const clock = options.clock ?? systemClock
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
  const freshness = { clock, maxStalenessMs: options.maxStalenessMs ?? MAX_STALENESS_MS }
  const standing: StandingSource =
    'introspect' in options.standing
      ? standingByIntrospection(options.standing.introspect, freshness)
      : standingByFeed(options.standing, freshness)
  const memory = memoryStores(clock)
  const replay = options.replay ?? memory.replay
  const { keysFor } = newJwksCache({
    read: async () => options.keys ?? (await tokenKeys({ fetch, clock }, issuer)),
    clock,
    rereadMs: REREAD_MS,
  })

  return {
    taskBindings: options.taskBindings ?? memory.taskBindings,
    onBug: options.onBug ?? ((error) => console.error(error)),
    verify: async (request, needs = {}) => {
      const { token, dpop } = credentialsOf(request)
      const now = Math.max(clock.now(), standing.time)
      const { claims, kid } = await withKeysOf(issuer, () => verifyAccessToken(token, keysFor, { issuer, audience, now }))
      const [path = ''] = request.url.split('?')
      // A target without a leading slash, appended to an origin, would name another host.
      if (!path.startsWith('/')) refuse('invalid_token', 'the request target must be a path that begins with "/"')
      const proof = await verifyDpopProof(dpop, {
        htm: request.method,
        htu: publicUrlOf(request) + path,
        now: clock.now(),
        accessToken: token,
        reason: 'invalid_token',
      })
      if (proof.jkt !== claims.cnf.jkt) refuse('invalid_token', 'the DPoP proof is not signed by the key that the token is bound to')
      const dependsOn = handlesOf(claims, kid)
      switch (await standing.check(token, { at: claims.standing.at, dependsOn })) {
        case 'ended':
          return refuse('invalid_token', 'the token, or something that it depends on, has been revoked')
        case 'unknown':
          return refuse('standing_unknown', 'cannot confirm now that the token has not been revoked; retry later', { retryAfterSeconds: 1 })
        case 'stands':
      }
      // RFC 9449 §11.1: the proof is consumed last, so that a client whose request got 503 may retry with the same proof.
      if (!(await consumeProof(proof, (name, expiresAt) => replay.consume(name, expiresAt))))
        refuse('invalid_token', 'the DPoP proof has been used before')
      requireNeeds(claims, needs)
      return { claims, chain: chainOf(claims), taskId: claims.task_id, accessToken: token }
    },
  }
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

/** Requires one DPoP-bound token and one proof; a bearer token is refused. */
function credentialsOf({ headers }: IncomingRequest): { token: string; dpop: string } {
  const { authorization, dpop } = headers
  const token = dpopTokenOf(authorization)
  // node:http joins a repeated header with a comma.
  if (token === undefined || typeof dpop !== 'string' || dpop.includes(','))
    return refuse('invalid_token', 'send one access token (Authorization: DPoP …) and one proof (DPoP: …)')
  return { token, dpop }
}

/** Refuses a token without the scope, tool or resource. A token without a list of tools or resources is not restricted in them. */
export function requireNeeds(claims: AccessTokenClaims, { scope, tool, resource }: Needs): void {
  if (scope !== undefined && !coveredBySome(parseScope(claims.scope) ?? [], scope))
    refuse('insufficient_scope', `this request requires the scope ${scope}`)
  if (tool !== undefined && claims.allowed_tools && !coveredBySome(claims.allowed_tools, tool))
    refuse('insufficient_scope', `the token does not allow the tool ${tool}`)
  if (resource !== undefined && claims.allowed_resources && !coveredBySome(claims.allowed_resources, resource))
    refuse('insufficient_scope', `the token does not allow the resource ${resource}`)
}
