import { digestOfText } from '../../credentials/jose/digest.js'
import { isRefusal, type Refusal, refuse } from '../../errors.js'
import { MAX_PAGE_PARAMETERS, type OAuthForm, parseForm, parseQuery } from '../../http/form.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import { page } from '../../http/pages/page.js'
import type { HttpRequest, HttpResponse, Route } from '../../http/route.js'
import type { ExternalClient } from '../../identity/clients/client.js'
import { pageRoute, personForm } from '../../identity/people/person-routes.js'
import { findSession, type PersonCaller } from '../../identity/people/session.js'
import { type SignInDeps, toSignIn } from '../../identity/people/sign-in.js'
import { ClientUri, type OrgId } from '../../protocol/ids.js'
import type { Barrier } from '../../protocol/standing.js'
import { requireDeviceRequest } from '../device/find-request.js'
import { DEVICE_PATH, DeviceDecided } from '../device/pages.js'
import { type AdminApprovalDeps, adminApprovalFor, askAdministrators, givenApproval, requireMayAskPerson } from './admin-approval.js'
import type { Asked } from './asked.js'
import { type AuthorizationClient, requesterOf, requireAuthorizationClient, requireRedirectUri } from './client.js'
import { allow, consentsCovering, type DecisionDeps, rightsOf } from './decision.js'
import { allowedIn, BOXES, DECISION_PATH, DECISION_PURPOSE } from './decision-form.js'
import { deny } from './deny.js'
import { type Offer, type OfferDeps, offersFor, requireTaskOf } from './offer.js'
import { type ShowConsentDeps, showConsent } from './pages/show-consent.js'
import { isTrusted, untrustedErrorPage } from './pages/untrusted-redirect.js'
import { askingOf, type PendingDeps, pathOf, requirePending, savePending, seenIn, showPending } from './pending.js'
import { errorToClient, formActionOf, type Target, toClient } from './redirect.js'
import { parseAuthorizationRequest, REPEATABLE, stateOf } from './request.js'
import type { PendingAuthorization } from './store.js'

export type AuthorizeDeps = SignInDeps &
  OfferDeps &
  PendingDeps &
  DecisionDeps &
  AdminApprovalDeps &
  ShowConsentDeps & {
    /** Stores a client that was only known by the URL of its metadata. */
    readonly saveClientDocument: (uri: ClientUri, orgId: OrgId) => Promise<ExternalClient | undefined>
  }

/** The page on which a person decides about the request of a client, and its form. */
export const authorizeEndpoints = (deps: AuthorizeDeps): Route[] => [
  pageRoute('GET', '/oauth/authorize', (request) => authorize(deps, request)),
  personForm(
    deps,
    DECISION_PATH,
    {
      purpose: DECISION_PURPOSE,
      subjectOf: (request) => parseForm(request, BOXES, MAX_PAGE_PARAMETERS).get('request') ?? '',
      repeatable: BOXES,
    },
    (person, form, request) => decide(deps, person, form, request),
  ),
]

/**
 * The order of the checks is a rule of security: until the redirect URI is known to be one of the client, every failure is a page of this registry.
 *
 * @see [RFC 6749 §4.1.1](https://www.rfc-editor.org/rfc/rfc6749.html#section-4.1.1), [RFC 9126 §4](https://www.rfc-editor.org/rfc/rfc9126.html#section-4)
 */
async function authorize(deps: AuthorizeDeps, request: HttpRequest): Promise<HttpResponse> {
  const form = parseQuery(request, REPEATABLE)
  const barrier = await deps.trustLog.readBarrier()
  const requestUri = form.get('request_uri')
  const seen = requestUri === undefined ? { audience: form.getAll('resource')[0] } : await seenIn(deps, requestUri)
  if (requestUri !== undefined && seen.isOfDevice) return askForDevice(deps, request, requestUri)
  const client = await requireAuthorizationClient(deps, form.get('client_id'), { address: request.address, ...seen })
  if (requestUri === undefined) return authorizePlain(deps, request, form, { client, barrier })
  const found = await requirePending(deps, isFrom(client), requestUri, barrier.now)
  const target = requireRegistered(client, found)
  const pending = await showPending(deps, found, barrier.now)
  return orAsError(deps, client, target, () => ask(deps, request, { client, pending, requestUri, target }))
}

const isFrom =
  (client: AuthorizationClient) =>
  ({ clientId, deviceId }: PendingAuthorization): boolean =>
    clientId === requesterOf(client) && deviceId === undefined

/** The registration may have changed since the request was pushed. */
const requireRegistered = (client: AuthorizationClient, { request: { redirectUri, state } }: PendingAuthorization): Target => ({
  redirectUri: requireRedirectUri(client, redirectUri),
  state,
})

interface Known {
  readonly client: AuthorizationClient
  readonly barrier: Barrier
}

/** A request that a browser has brought. The response goes to the target. */
interface Brought {
  readonly client: AuthorizationClient
  readonly pending: PendingAuthorization
  readonly requestUri: string
  readonly target: Target
}

/** A request whose parameters the browser brings. It is stored, so that the sign-in and the decision refer to it. */
async function authorizePlain(
  deps: AuthorizeDeps,
  request: HttpRequest,
  form: OAuthForm,
  { client, barrier }: Known,
): Promise<HttpResponse> {
  if (client.kind === 'agent' && client.isRegisteredByMember)
    refuse('invalid_request', 'the application must push its request first (pushed_authorization_request_endpoint)')
  const redirectUri = requireRedirectUri(client, form.get('redirect_uri'))
  const target = { redirectUri, state: stateOf(form) }
  return orAsError(deps, client, target, async () => {
    const asked = { ...parseAuthorizationRequest(form, deps.issuer), redirectUri }
    await Promise.all([offersFor(deps, client, asked, undefined), requireTaskOf(deps, client, asked, undefined)])
    const refusal = deps.rateLimits.signInStarts.take(addressPrefix(request.address))
    if (refusal) throw refusal
    const { requestUri, pending } = await savePending(deps, { ...askingOf(client), request: asked }, { isPushed: false, now: barrier.now })
    return ask(deps, request, { client, pending, requestUri, target })
  })
}

/**
 * Sends a refusal to the client by a redirect, or by a link if no organisation of the registry trusts the client. Call only after the redirect URI was
 * checked, and before a person has decided.
 */
async function orAsError(
  deps: AuthorizeDeps,
  client: AuthorizationClient,
  target: Target,
  work: () => Promise<HttpResponse>,
): Promise<HttpResponse> {
  const isDirect = await isTrusted(deps, client)
  return orAnswered(work, (refusal) => (isDirect ? errorToClient : untrustedErrorPage)(deps.issuer, target, refusal))
}

async function orAnswered(work: () => Promise<HttpResponse>, answer: (refusal: Refusal) => HttpResponse): Promise<HttpResponse> {
  try {
    return await work()
  } catch (error) {
    if (!isRefusal(error) || isLocal(error)) throw error
    return answer(error)
  }
}

/** A fault of a form, or a request that was already decided: the client must not get a second response. */
const isLocal = ({ reason }: Refusal): boolean => reason === 'csrf' || reason === 'conflict' || reason === 'bad_input'

async function ask(deps: AuthorizeDeps, request: HttpRequest, { client, pending, requestUri, target }: Brought): Promise<HttpResponse> {
  const person = await findSession(deps, request)
  const { prompt } = pending.request
  const path = pathOf(client.clientUri ?? client.id, requestUri)
  if (!person || mustSignInAgain(pending, person, path)) {
    if (prompt === 'none') return refuse('login_required', 'the person is not signed in')
    return toSignIn(deps, request, path)
  }
  const { asked, offers } = await decidable(deps, { client, person, pending, now: person.barrier.now })
  const code = await withoutPage(deps, asked, offers)
  if (code !== undefined) return toClient(deps.issuer, target, { code })
  if (prompt === 'none') return refuse('consent_required', 'the person must decide on a page, which prompt=none forbids')
  return showConsent(deps, asked, { offers, requestUri, formAction: [formActionOf(target.redirectUri)] })
}

/** The page for the request of a device. The person has typed its user code in this session. */
async function askForDevice(deps: AuthorizeDeps, request: HttpRequest, requestUri: string): Promise<HttpResponse> {
  const person = await findSession(deps, request)
  if (!person) return toSignIn(deps, request, DEVICE_PATH)
  const { asked, offers } = await decidable(deps, await requireDeviceRequest(deps, person, requestUri, request.address))
  return showConsent(deps, asked, { offers, requestUri, formAction: [] })
}

/** The request with everything that the person can allow. Refuses what the rules of their organisation, the resources or the task do not allow. */
async function decidable(
  deps: AuthorizeDeps,
  parties: Omit<Asked, 'task'>,
): Promise<{ readonly asked: Asked; readonly offers: readonly Offer[] }> {
  const { client, person, pending } = parties
  const [offers, task] = await Promise.all([
    offersFor(deps, client, pending.request, person),
    requireTaskOf(deps, client, pending.request, person),
    requireMayAskPerson(deps, client, person),
  ])
  return { asked: { ...parties, task }, offers }
}

/**
 * `prompt=login` wants a sign-in after the browser came with the request, and `max_age` one that is not older (OpenID Connect Core §3.1.2.1). Times are whole
 * seconds, so a sign-in of the same second counts only if the request led to it.
 */
function mustSignInAgain(
  { request: { prompt, maxAge }, shownAt = 0 }: PendingAuthorization,
  { authAt, signedInFor, barrier }: PersonCaller,
  path: string,
): boolean {
  const isAfter = authAt > shownAt || signedInFor === digestOfText(path)
  const isTooOld = maxAge !== undefined && (maxAge === 0 || barrier.now - authAt > maxAge)
  return !isAfter && (prompt === 'login' || isTooOld)
}

/**
 * The code of a request that the consents of the person cover. Undefined if the person must be asked: a right is not
 * covered or needs an introduction, the client asks for it (`prompt`), the request was not pushed by a client that authenticated, or the redirect URI is not https, so that
 * another program could receive the code.
 */
async function withoutPage(deps: AuthorizeDeps, asked: Asked, offers: readonly Offer[]): Promise<string | undefined> {
  const { request, isPushed } = asked.pending
  const { prompt, redirectUri, isOffline } = request
  if (!isPushed || isPublic(asked.client) || (prompt !== undefined && prompt !== 'none') || !redirectUri?.startsWith('https://'))
    return undefined
  if (offers.some(({ needsIntroduction }) => needsIntroduction)) return undefined
  const rights = rightsOf(offers, request)
  const consents = await consentsCovering(deps, asked, rights)
  if (!consents) return undefined
  const until = Math.min(...consents.map(({ dependencies }) => dependencies.expiresAt))
  return allow(deps, asked, { rights, until, isOffline, introduce: [] })
}

/** Any caller can send the id of a public client. */
const isPublic = (client: AuthorizationClient): boolean => client.kind === 'external' && client.isPublic === true

/** A client that was only known by the URL of its metadata gets an id and handles of its own, on which the consent can depend. */
async function stored(deps: AuthorizeDeps, client: AuthorizationClient, { orgId }: PersonCaller): Promise<AuthorizationClient> {
  const uri = ClientUri.safeParse(client.id)
  if (!uri.success) return client
  return (
    (await deps.saveClientDocument(uri.data, orgId)) ??
    refuse('unavailable', 'the metadata of the application changed meanwhile; try again')
  )
}

/** Receives the decision. Repeats every check, because the rules may have changed since the page was shown. */
async function decide(deps: AuthorizeDeps, person: PersonCaller, form: OAuthForm, request: HttpRequest): Promise<HttpResponse> {
  const { now } = person.barrier
  const requestUri = form.get('request') ?? ''
  const seen = await seenIn(deps, requestUri)
  const isDenied = form.get('decision') === 'deny'
  if (seen.isOfDevice) return decideForDevice(deps, person, form, request)
  const known = await requireAuthorizationClient(deps, form.get('client_id'), { address: request.address, ...seen })
  const pending = await requirePending(deps, isFrom(known), requestUri, now)
  // A denial stores no client
  const client = isDenied ? known : await stored(deps, known, person)
  const target = requireRegistered(client, pending)
  if (mustSignInAgain(pending, person, pathOf(known.clientUri ?? known.id, requestUri)))
    refuse('access_denied', 'the application requires a new sign-in: sign in again')
  const answer = (refusal: Refusal) => errorToClient(deps.issuer, target, refusal)
  return orAnswered(async () => {
    const { asked, offers } = await decidable(deps, { client, person, pending, now })
    if (isDenied) {
      await deny(deps, asked)
      return errorToClient(deps.issuer, target, { reason: 'access_denied', message: 'the person has denied the request' })
    }
    return allowOrAsk(deps, asked, { form, offers, done: (code) => toClient(deps.issuer, target, { ...(code !== undefined && { code }) }) })
  }, answer)
}

/** The device learns the decision when it polls. */
async function decideForDevice(deps: AuthorizeDeps, person: PersonCaller, form: OAuthForm, request: HttpRequest): Promise<HttpResponse> {
  const found = await requireDeviceRequest(deps, person, form.get('request') ?? '', request.address)
  const isDenied = form.get('decision') === 'deny'
  const done = () => page({ title: isDenied ? 'Denied' : 'Allowed', viewer: person }, DeviceDecided({ isDenied }))
  if (isDenied) {
    await deny(deps, { ...found, task: undefined })
    return done()
  }
  const { asked, offers } = await decidable(deps, { ...found, client: await stored(deps, found.client, person) })
  return allowOrAsk(deps, asked, { form, offers, done })
}

interface AllowingForm {
  readonly form: OAuthForm
  readonly offers: readonly Offer[]
  readonly done: (code: string | undefined) => HttpResponse
}

/** Commits what the person allows, or requests the approval of an administrator first. */
async function allowOrAsk(deps: AuthorizeDeps, asked: Asked, { form, offers, done }: AllowingForm): Promise<HttpResponse> {
  const allowed = allowedIn(form, asked, offers)
  const approval = await adminApprovalFor(deps, asked, offers, allowed)
  const given = approval && givenApproval(approval)
  return approval && !given ? askAdministrators(deps, asked, approval) : done(await allow(deps, asked, { ...allowed, approval: given }))
}
