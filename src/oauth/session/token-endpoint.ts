import { refuse } from '../../errors.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { requireScriptRequest } from '../../http/pages/form.js'
import { json, type Route } from '../../http/route.js'
import type { LimitsInForce } from '../../identity/limits/in-force.js'
import { SESSION_TOKEN_SECONDS } from '../../identity/people/end-session.js'
import { findSession, type PersonCaller, type SessionDeps } from '../../identity/people/session.js'
import { newHandle } from '../../protocol/handles.js'
import { Audience, type Jkt } from '../../protocol/ids.js'
import { type Barrier, dependenciesOf } from '../../protocol/standing.js'
import type { ReplayCache } from '../../storage/replay-cache.js'
import { consumeProofOnce, type ProofDeps, verifyProof } from '../client-auth/proof.js'
import { withRetries } from '../grants/task.js'
import { type IssueDeps, type IssuedToken, issueToken } from '../issue.js'

export type SessionTokenDeps = SessionDeps &
  IssueDeps &
  ProofDeps & {
    readonly trustLog: SessionDeps['trustLog']
    readonly replayCache: ReplayCache
    readonly rateLimits: Pick<RateLimits, 'tokenRequests'>
    readonly limits: Pick<LimitsInForce, 'ofClient'>
    readonly requireRoom: (isFor: 'token') => void
  }

/**
 * Issues a root token to a page of a person who is signed in. It is bound to a key of the page, lives SESSION_TOKEN_SECONDS and ends with the session.
 * The cookie alone is not enough: another site can send a request with it, but cannot read the token of the page.
 */
export const sessionTokenEndpoint = (deps: SessionTokenDeps): Route => ({
  method: 'POST',
  path: '/session/token',
  endpoint: async (request) => {
    const person = (await findSession(deps, request)) ?? refuse('login_required', 'the browser has no session: sign in at /sign-in')
    requireScriptRequest(request, deps.issuer, person.formKey)
    const proof = await verifyProof(deps, request)
    const refusal = deps.rateLimits.tokenRequests.take(person.id, (await deps.limits.ofClient(person)).tokenRequestsPerSecond)
    if (refusal) throw refusal
    if (!(await consumeProofOnce(deps, proof))) refuse('invalid_dpop_proof', 'the DPoP proof has been used before')
    deps.requireRoom('token')
    const issued = await deps.trustLog.afterBarrier(person.barrier, (barrier) =>
      withRetries(() => issueForSession(deps, barrier, person, proof.jkt)),
    )
    const { accessToken, tokenType, expiresIn, scope } = issued
    const body = { access_token: accessToken, token_type: tokenType, expires_in: expiresIn, scope }
    return json(200, body, { 'dpop-nonce': proof.freshNonce })
  },
})

/** The commit of the token fails if the session ends at the same time. */
async function issueForSession(deps: SessionTokenDeps, barrier: Barrier, person: PersonCaller, jkt: Jkt): Promise<IssuedToken | 'retry'> {
  const [session, client] = await Promise.all([deps.people.sessions.get(person.sessionId), deps.findClient(person.id)])
  if (!session || !client) return refuse('login_required', 'the session has ended: sign in at /sign-in')
  const { tokensHandle = newHandle(deps.random, 'ses') } = session
  return issueToken(deps, barrier, {
    kind: 'root',
    authenticated: { client, key: undefined },
    jkt,
    sub: person.id,
    audience: Audience.parse(deps.issuer),
    scopes: person.scopes,
    sessionId: session.id,
    alongside: [deps.people.sessions.changing(session.id, { tokensHandle: session.tokensHandle ?? null }, { tokensHandle })],
    maxSeconds: SESSION_TOKEN_SECONDS,
    parents: [],
    dependencies: [dependenciesOf([...session.dependsOn, tokensHandle], session.endsAt)],
  })
}
