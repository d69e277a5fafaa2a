import { verifyDpopProof } from '../../credentials/jose/dpop.js'
import type { KeysFor } from '../../credentials/jose/jwt.js'
import { verifyAccessToken } from '../../credentials/jose/token-types.js'
import { refuse } from '../../errors.js'
import type { TokenCaller } from '../../http/caller.js'
import type { HttpRequest } from '../../http/route.js'
import type { Client } from '../../identity/clients/client.js'
import type { Clients } from '../../identity/clients/clients.js'
import type { Clock } from '../../lib/clock.js'
import { type AccessTokenClaims, handlesOf, presenterOf } from '../../protocol/claims.js'
import { dpopTokenOf } from '../../protocol/dpop.js'
import { identitiesOf } from '../../protocol/handles.js'
import { parseScope } from '../../protocol/rights.js'
import { type Dependencies, dependenciesOf, joinDependencies, stands } from '../../protocol/standing.js'
import type { ReplayCache } from '../../storage/replay-cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { consumeProofOnce } from './proof.js'

interface AuthenticateDeps {
  readonly clients: Clients
  readonly trustLog: TrustLog
  readonly tokenKeys: KeysFor
  readonly replayCache: ReplayCache
  readonly clock: Pick<Clock, 'now'>
  readonly issuer: string
}

/**
 * Authenticates a request to the registry's own resource by a root token and a DPoP proof. Returns undefined if the request carries
 * neither.
 *
 * @see [RFC 9449 §7](https://www.rfc-editor.org/rfc/rfc9449.html#section-7)
 */
export async function authenticateRequest(
  deps: AuthenticateDeps,
  request: Pick<HttpRequest, 'method' | 'url' | 'headers' | 'enterAs'>,
): Promise<TokenCaller | undefined> {
  const { authorization, dpop } = request.headers
  if (authorization === undefined && dpop === undefined) return undefined
  // RFC 9449 §7.1: a DPoP-bound token that is sent as Bearer is refused.
  const token = dpopTokenOf(authorization)
  if (token === undefined || typeof dpop !== 'string')
    return refuse('invalid_token', 'send one access token (Authorization: DPoP …) and one proof (DPoP: …)')
  return authenticateToken(deps, token, dpop, request)
}

/** Authenticates a token with a proof for `method` and `url`, from headers or from a message on a socket. */
export async function authenticateToken(
  deps: AuthenticateDeps,
  token: string,
  dpop: string,
  request: Pick<HttpRequest, 'method' | 'url' | 'enterAs'>,
): Promise<TokenCaller> {
  const barrier = await deps.trustLog.readBarrier()
  const { claims, kid } = await verifyAccessToken(token, deps.tokenKeys, { issuer: deps.issuer, now: barrier.now, audience: deps.issuer })
  const proof = await verifyDpopProof(dpop, {
    htm: request.method,
    htu: request.url,
    now: deps.clock.now(),
    madeFrom: deps.trustLog.proofsValidFrom(),
    accessToken: token,
    reason: 'invalid_token',
  })
  if (proof.jkt !== claims.cnf?.jkt) refuse('invalid_token', 'the DPoP proof is not signed by the key that the token is bound to')
  if (!(await consumeProofOnce(deps, proof))) refuse('invalid_token', 'the DPoP proof has been used before')
  await request.enterAs?.(presenterOf(claims))
  const dependencies = dependenciesOf(handlesOf(claims, kid), claims.exp)
  const client = await deps.clients.find(presenterOf(claims))
  if (!client || !stands(deps.trustLog.ended, dependencies.handles))
    return refuse('invalid_token', 'the token, or something that it depends on, has been revoked')
  return { ...callerOf(claims, client, dependencies), jkt: proof.jkt, barrier }
}

/** What a session depends on besides the member: the key, passkey or account that opened it, and the issuer of the account. */
const OPENS_SESSION = /^(?:key|lnk|iss):/

function callerOf(claims: AccessTokenClaims, client: Client, dependencies: Dependencies): Omit<TokenCaller, 'jkt' | 'barrier'> {
  // The passkey or account by which a session was opened is no key of the client
  const keyHandles = claims.standing.dependsOn.filter(
    (handle) => client.keys.some((key) => key.handle === handle) || (claims.sid !== undefined && OPENS_SESSION.test(handle)),
  )
  return {
    kind: client.kind,
    id: client.id,
    orgId: client.orgId,
    role: client.role,
    scopes: parseScope(claims.scope) ?? [],
    tokenId: claims.jti,
    sessionId: claims.sid,
    dependencies: joinDependencies(dependencies, client.dependencies),
    identities: identitiesOf([...client.dependencies.handles, ...keyHandles]),
  }
}
