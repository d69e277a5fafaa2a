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
  /** The registry. */
  readonly issuer: string
  /** This agent's audience URI, `<issuer>/agents/<agent id>`. */
  readonly audience: string
  /** URL under which callers reach this server, with the path that a proxy takes off: what proofs must name. */
  readonly publicUrl: string
  /** Proxies whose word about scheme and host replaces those of `publicUrl`; default: nobody's, and no header of a request counts. */
  readonly proxies?: Proxies
  /** How it knows what stands: the feed, or where there is no socket introspection under its own client. */
  readonly standing: Feed | { readonly introspect: (token: string) => Promise<JsonObject> }
  /** Default: memory, which a restart forgets. */
  readonly replay?: ReplayStore
  readonly taskBindings?: TaskBindingStore
  /** Past it (default 1000) a call is answered 503. */
  readonly maxStalenessMs?: number
  /** The registry's token keys; absent: read from its JWKS. */
  readonly keys?: readonly VerificationKey[]
  readonly clock?: Clock
  readonly fetch?: typeof globalThis.fetch
  /** Told what should not happen, such as a store that fails; its call is answered 500. Default: `console.error`. */
  readonly onBug?: (error: unknown) => void
}

/** What a call needs of its token. */
export interface Needs {
  readonly scope?: string
  readonly tool?: string
  readonly resource?: string
}

/** A request that may be served. */
export interface Verified {
  readonly claims: AccessTokenClaims
  /** Who it began with, then everyone it passed through. */
  readonly chain: readonly string[]
  readonly taskId: TaskId | undefined
  /** The token itself: with the right to pass on, the subject token of an exchange. */
  readonly accessToken: string
}

export interface Verifier {
  /** Token, proof with replay protection, audience, standing, freshness, then what the call needs. Throws a Refusal. */
  verify(request: IncomingRequest, needs?: Needs): Promise<Verified>
  readonly taskBindings: TaskBindingStore
  readonly onBug: (error: unknown) => void
}

const MAX_STALENESS_MS = 1000
/** How often an unknown `kid` may make a verifier ask the registry. */
const REREAD_MS = 30_000

/**
 * Checks calls to one agent, alone and fast.
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
    taskBindings: options.taskBindings ?? memory.ties,
    onBug: options.onBug ?? ((error) => console.error(error)),
    verify: async (request, needs = {}) => {
      const { token, dpop } = credentialsOf(request)
      const now = Math.max(clock.now(), standing.time)
      const { claims, kid } = await known(() => verifyAccessToken(token, keysFor, { issuer, audience, now }))
      const [path = ''] = request.url.split('?')
      // Behind an origin anything else would name another host.
      if (!path.startsWith('/')) refuse('invalid_token', 'the request names no path of this server')
      const proof = await verifyDpopProof(dpop, {
        htm: request.method,
        htu: publicUrlOf(request) + path,
        now: clock.now(),
        accessToken: token,
        reason: 'invalid_token',
      })
      if (proof.jkt !== claims.cnf.jkt) refuse('invalid_token', 'the proof is by another key than the token is bound to')
      const dependsOn = handlesOf(claims, kid)
      switch (await standing.check(token, { at: claims.standing.at, dependsOn })) {
        case 'ended':
          return refuse('invalid_token', 'the token no longer stands')
        case 'unknown':
          return refuse('standing_unknown', 'it is not known now whether the token stands', { retryAfterSeconds: 1 })
        case 'stands':
      }
      // RFC 9449 §11.1: spent last, so that a call which is to be tried again (503) may bring its proof again.
      if (!(await consumeProof(proof, (name, keptUntil) => replay.spend(name, keptUntil))))
        refuse('invalid_token', 'the DPoP proof was used before')
      requireNeeds(claims, needs)
      return { claims, chain: chainOf(claims), taskId: claims.task_id, accessToken: token }
    },
  }
}

async function tokenKeys(deps: Parameters<typeof fetchKeys>[0], issuer: string): Promise<readonly VerificationKey[]> {
  return (await fetchKeys(deps, issuer)).filter((jwk) => jwk.credence_use === 'token').map((jwk) => ({ jwk, alg: 'ES256' as const }))
}

/** Keys that cannot be had are no verdict on the token. */
async function known<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isRefusal(error)) throw error
    return refuse('standing_unknown', 'the keys of the registry cannot be had now', { retryAfterSeconds: 1 })
  }
}

/** One DPoP-bound token and one proof; nothing else is a credential here. */
function credentialsOf({ headers }: IncomingRequest): { token: string; dpop: string } {
  const { authorization, dpop } = headers
  const token = dpopTokenOf(authorization)
  // node:http joins a header that was sent twice with a comma.
  if (token === undefined || typeof dpop !== 'string' || dpop.includes(','))
    return refuse('invalid_token', 'send one DPoP-bound token and one proof')
  return { token, dpop }
}

/** Scope, tool and resource that the token carries; absent lists of tools and resources restrict nothing. */
export function requireNeeds(claims: AccessTokenClaims, { scope, tool, resource }: Needs): void {
  if (scope !== undefined && !coveredBySome(parseScope(claims.scope) ?? [], scope))
    refuse('insufficient_scope', `this call needs the scope ${scope}`)
  if (tool !== undefined && claims.allowed_tools && !coveredBySome(claims.allowed_tools, tool))
    refuse('insufficient_scope', `the token does not allow the tool ${tool}`)
  if (resource !== undefined && claims.allowed_resources && !coveredBySome(claims.allowed_resources, resource))
    refuse('insufficient_scope', `the token does not allow the resource ${resource}`)
}
