import { refuse } from '../../../errors.js'
import { Foreign } from '../../../http/pages/foreign.js'
import { Form, requireForm } from '../../../http/pages/form.js'
import { seeOther } from '../../../http/pages/html.js'
import { page } from '../../../http/pages/page.js'
import type { HttpRequest, HttpResponse, Route } from '../../../http/route.js'
import { IssuerId } from '../../../protocol/ids.js'
import { pageRoute } from '../person-routes.js'
import { findSession } from '../session.js'
import { attempt, HOME, saveSignIn, visitorOf } from '../sign-in.js'
import type { ForeignIssuer, SignIn, UpstreamSignIn } from '../store.js'
import { authorizationUrl, callbackOf } from './provider.js'
import { findIssuer, proveByProvider, type UpstreamDeps } from './sign-in.js'

/** Sign-in with the OpenID Provider of an organisation. Its address names the issuer, so the registry shows no list of organisations. */
export const upstreamPages = (deps: UpstreamDeps): Route[] => [
  pageRoute('GET', '/sign-in/:issuerId', (request) => providerPage(deps, request)),
  pageRoute('POST', '/sign-in/:issuerId', (request) => begin(deps, request)),
  pageRoute('GET', '/sign-in/:issuerId/callback', (request) => callback(deps, request)),
]

async function requireIssuer(deps: UpstreamDeps, { params }: HttpRequest): Promise<ForeignIssuer> {
  await deps.trustLog.readBarrier()
  const id = IssuerId.safeParse(params.issuerId)
  return (id.success ? await findIssuer(deps, id.data) : undefined) ?? refuse('not_found', 'no sign-in has this address')
}

async function providerPage(deps: UpstreamDeps, request: HttpRequest): Promise<HttpResponse> {
  const issuer = await requireIssuer(deps, request)
  const [{ formKey, cookies }, person, organisation] = await Promise.all([
    visitorOf(deps, request),
    findSession(deps, request),
    deps.organisations.get(issuer.orgId),
  ])
  const isMember = person?.orgId === issuer.orgId
  const form = { action: `/sign-in/${issuer.id}`, formKey, purpose: 'sign-in.issuer', subject: issuer.id }
  return page(
    { title: 'Sign in with your organisation', cookies, viewer: person, formAction: [issuer.authorizationOrigin] },
    <>
      <p>
        You continue at <strong>{new URL(issuer.url).host}</strong>, with which people of <Foreign text={organisation?.name ?? ''} /> sign
        in, and return to this registry.
      </p>
      <Form {...form}>
        <button type="submit" name="step" value="sign-in">
          Continue
        </button>
        {isMember && (
          <button class="quiet" type="submit" name="step" value="link">
            Link the account to my membership
          </button>
        )}
      </Form>
    </>,
  )
}

async function begin(deps: UpstreamDeps, request: HttpRequest): Promise<HttpResponse> {
  const issuer = await requireIssuer(deps, request)
  const { formKey, signIn: earlier } = await visitorOf(deps, request)
  const form = requireForm(request, deps.issuer, { formKey, purpose: 'sign-in.issuer', subject: issuer.id })
  const step = form.get('step')
  const person = step === 'link' ? await findSession(deps, request) : undefined
  if (step === 'link' && person?.orgId !== issuer.orgId) refuse('not_found', 'no sign-in has this address')
  const invitation = step === 'join' ? invitationOf(earlier) : undefined
  return attempt(deps, request, async () => {
    const { now } = await deps.trustLog.readBarrier()
    const [state, nonce, verifier] = [deps.random.token(32), deps.random.token(32), deps.random.token(32)]
    const upstream = {
      issuerId: issuer.id,
      state,
      nonce,
      verifier,
      ...(person && { linkTo: person.id }),
      ...(invitation && { invitation }),
    }
    const location = await authorizationUrl(deps.issuer, await deps.providers.of(issuer), upstream)
    return seeOther(location, [await saveSignIn(deps, request, { returnTo: earlier?.returnTo, upstream }, now)])
  })
}

/** The invitation that the browser has shown (invitations/pages.tsx). */
function invitationOf(begun: SignIn | undefined): NonNullable<UpstreamSignIn['invitation']> {
  const { invitationId: id, name } = begun?.passkey ?? {}
  return id !== undefined && name !== undefined
    ? { id, name }
    : refuse('code_invalid', 'no invitation was opened in this browser; open it again')
}

/**
 * The browser returns. Its cookie names the sign-in that began here, which is taken, so a code of another browser or a second use is refused. The
 * person agrees on the page /sign-in/confirm, because another organisation's provider may have chosen the account.
 */
async function callback(deps: UpstreamDeps, request: HttpRequest): Promise<HttpResponse> {
  const issuer = await requireIssuer(deps, request)
  const { signIn: begun } = await visitorOf(deps, request)
  const upstream = begun?.upstream
  const taken = upstream?.issuerId === issuer.id ? await deps.people.signIns.take(begun?.id ?? '', {}) : undefined
  if (!upstream || !taken) return refuse('code_invalid', 'no sign-in with this provider was started in this browser; start again')
  const person = upstream.linkTo === undefined ? undefined : await findSession(deps, request)
  if (person?.id !== upstream.linkTo) return refuse('code_invalid', 'you are no longer signed in; start again')
  return attempt(deps, request, async () => {
    const url = new URL(`${callbackOf(deps.issuer, issuer.id)}?${request.query}`)
    const grant = await proveByProvider(deps, issuer, url, upstream, person?.identities)
    if (upstream.linkTo !== undefined) return seeOther(HOME)
    const { now } = await deps.trustLog.readBarrier()
    return seeOther('/sign-in/confirm', [await saveSignIn(deps, request, { returnTo: taken.returnTo, offered: grant }, now)])
  })
}
