import type { Audit } from '../../audit/audit.js'
import { digestOfText } from '../../credentials/jose/digest.js'
import { refuse } from '../../errors.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { sessionCookie, signInCookie } from '../../http/pages/cookies.js'
import { seeOther } from '../../http/pages/html.js'
import type { HttpRequest, HttpResponse } from '../../http/route.js'
import type { Random } from '../../lib/random.js'
import { shortened } from '../../lib/text.js'
import { newId } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { Storage } from '../../storage/storage.js'
import type { Client } from '../clients/client.js'
import { codeStands, findByCode } from '../keys/one-time-code.js'
import { endSession } from './end-session.js'
import { IDLE_SECONDS, type SessionDeps } from './session.js'
import type { Session, SignIn, SignInGrant } from './store.js'

export interface SignInDeps extends SessionDeps {
  readonly storage: Pick<Storage, 'commit'>
  readonly random: Random
  readonly audit: Audit
  readonly rateLimits: Pick<RateLimits, 'signIns' | 'signInStarts'>
}

const SIGN_IN_SECONDS = 600
const SESSION_SECONDS = 12 * 3600
const MAX_SESSIONS = 20
const SECRET_BYTES = 32

/** A browser before or during a sign-in. */
interface Visitor {
  /** For the forms of the sign-in. */
  readonly formKey: string
  /** Absent before the registry has anything to remember. */
  readonly signIn?: SignIn | undefined
  /** Sets the cookie, if the browser had none. */
  readonly cookies: readonly string[]
}

/** The browser that sent a request, by its cookie. Without one it gets a new cookie; nothing is stored. */
export async function visitorOf(deps: SignInDeps, request: HttpRequest): Promise<Visitor> {
  const cookie = signInCookie(deps.issuer).read(request)
  if (cookie !== undefined && /^[A-Za-z0-9_-]{43}$/.test(cookie)) {
    const { now } = await deps.trustLog.readBarrier()
    const signIn = await deps.people.signIns.get(digestOfText(cookie))
    return { formKey: cookie, signIn: signIn && signIn.expiresAt > now ? signIn : undefined, cookies: [] }
  }
  const formKey = deps.random.token(SECRET_BYTES)
  return { formKey, cookies: [signInCookie(deps.issuer).set(formKey, SIGN_IN_SECONDS)] }
}

/** The home of a person, where a sign-in leads to by default. */
export const HOME = '/you'

/** Sends a browser without a session to the sign-in. It returns to `returnTo`, a page of this registry, which is stored and not part of a URL. */
export async function toSignIn(deps: SignInDeps, request: Pick<HttpRequest, 'address'>, returnTo: string): Promise<HttpResponse> {
  if (returnTo === HOME) return seeOther('/sign-in')
  if (!/^\/(?![/\\])/.test(returnTo) || returnTo.length > 4096) refuse('invalid_request', 'the address of the page is too long')
  const { now } = await deps.trustLog.readBarrier()
  return seeOther('/sign-in', [await saveSignIn(deps, request, { returnTo }, now)])
}

/**
 * Stores a step of a sign-in under a new cookie, so that nobody who knew the earlier cookie takes part in the step. The rate bounds what strangers
 * can store.
 */
export async function saveSignIn(
  deps: SignInDeps,
  request: Pick<HttpRequest, 'address'>,
  step: Omit<SignIn, 'id' | 'expiresAt'>,
  now: number,
): Promise<string> {
  const refusal = deps.rateLimits.signInStarts.take(addressPrefix(request.address))
  if (refusal) throw refusal
  const cookie = deps.random.token(SECRET_BYTES)
  await deps.people.signIns.insert({ ...step, id: digestOfText(cookie), expiresAt: now + SIGN_IN_SECONDS })
  return signInCookie(deps.issuer).set(cookie, SIGN_IN_SECONDS)
}

/** Runs an attempt to sign in. A failed one counts for the address of its sender, a successful one does not. */
export async function attempt<T>({ rateLimits }: SignInDeps, request: HttpRequest, prove: () => Promise<T>): Promise<T> {
  const address = addressPrefix(request.address)
  const refusal = rateLimits.signIns.take(address)
  if (refusal) throw refusal
  const proved = await prove()
  rateLimits.signIns.refund(address)
  return proved
}

/** The member whom a grant names, if both still stand. */
export async function findGranted(deps: SignInDeps, grant: SignInGrant): Promise<Client | undefined> {
  const client = await deps.findClient(grant.memberId)
  const { ended } = deps.trustLog
  return client && codeStands(deps.trustLog, grant.dependsOn) && stands(ended, client.dependencies.handles) ? client : undefined
}

/**
 * Opens a session: the browser gets a new cookie, and its earlier session ends. Past MAX_SESSIONS the oldest session of the person ends. They end
 * after the commit, one by one, so of many sign-ins at once none fails because another ended the same session.
 * `consuming` is the sign-in that the session completes; it opens no second one.
 */
export async function signIn(
  deps: SignInDeps,
  request: HttpRequest,
  grant: SignInGrant,
  { returnTo, consuming }: { readonly returnTo?: string | undefined; readonly consuming?: string },
): Promise<HttpResponse> {
  const barrier = await deps.trustLog.readBarrier()
  const client = (await findGranted(deps, grant)) ?? refuse('code_invalid', 'the sign-in is no longer valid; start again')
  const secret = deps.random.token(SECRET_BYTES)
  const { now } = barrier
  const session: Session = {
    ...grant,
    id: newId(deps.random, 'ses'),
    orgId: client.orgId,
    codeHash: digestOfText(secret),
    createdAt: now,
    ...(returnTo !== undefined && { signedInFor: digestOfText(returnTo) }),
    usedAt: now,
    browser: shortened(String(request.headers['user-agent'] ?? ''), 256),
    endsAt: now + SESSION_SECONDS,
    expiresAt: now + IDLE_SECONDS,
  }
  const { sessions, signIns } = deps.people
  const row = ({ id, orgId, memberId }: Session, action: string) =>
    ({ orgId, actor: memberId, action, outcome: 'done', subject: id }) as const
  const committed = await deps.storage.commit([
    ...(consuming === undefined ? [] : [signIns.taking(consuming, {})]),
    sessions.inserting(session),
    deps.audit.recording({ ...row(session, 'sessions.create'), facts: { amr: grant.amr.join(' ') } }),
  ])
  if (!committed.ok) refuse('conflict', 'the sign-in was completed already')
  for (const earlier of await earlierSessions(deps, request, session))
    await endSession(deps, earlier.id, deps.audit.recording(row(earlier, 'sessions.end')))
  await deps.trustLog.requireStillStanding(barrier, [...client.dependencies.handles, ...grant.dependsOn])
  const cookies = [sessionCookie(deps.issuer).set(`${session.id}.${secret}`, SESSION_SECONDS), signInCookie(deps.issuer).clear()]
  return seeOther(returnTo ?? HOME, cookies)
}

/** The sessions that a new one ends: that of the same browser, and the oldest past MAX_SESSIONS. */
async function earlierSessions(
  { people, issuer }: SignInDeps,
  request: HttpRequest,
  { id, memberId }: Session,
): Promise<readonly Session[]> {
  const ofBrowser = await findByCode(sessionCookie(issuer).read(request) ?? '', people.sessions.get)
  const { items } = await people.sessions.find('member', { where: { memberId }, limit: 100 })
  const others = items.filter((one) => one.id !== id && one.id !== ofBrowser?.id)
  return [...(ofBrowser ? [ofBrowser] : []), ...others.slice(0, Math.max(0, others.length - MAX_SESSIONS + 1))]
}
