import { refuse } from '../../errors.js'
import { Foreign } from '../../http/pages/foreign.js'
import { Form, requireForm } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import { page } from '../../http/pages/page.js'
import { styleSheet } from '../../http/pages/style.js'
import type { HttpRequest, HttpResponse, Route } from '../../http/route.js'
import { invitationPages } from './invitations/pages.js'
import { type PasskeyPagesDeps, PasskeySignIn, passkeyPages } from './passkeys/pages.js'
import { pageRoute, signOutRoute } from './person-routes.js'
import { attempt, findGranted, saveSignIn, signIn, visitorOf } from './sign-in.js'
import { SIGN_IN_SCRIPT_PATH, signInScript } from './sign-in-script.js'
import type { SignInGrant } from './store.js'
import { redeemTicket } from './ticket.js'
import { upstreamPages } from './upstream/pages.js'
import type { UpstreamDeps } from './upstream/sign-in.js'

type SignInPagesDeps = PasskeyPagesDeps & UpstreamDeps

/** The pages of the sign-in. A person first proves who they are, sees as whom they would sign in, and agrees. */
export const signInPages = (deps: SignInPagesDeps): Route[] => [
  styleSheet,
  signInScript,
  pageRoute('GET', '/sign-in', (request) => startPage(deps, request)),
  pageRoute('POST', '/sign-in/ticket', (request) => receiveTicket(deps, request)),
  pageRoute('GET', '/sign-in/confirm', (request) => confirmPage(deps, request)),
  pageRoute('POST', '/sign-in/confirm', (request) => confirm(deps, request)),
  signOutRoute(deps),
  ...invitationPages(deps),
  ...passkeyPages(deps),
  ...upstreamPages(deps),
]

async function startPage(deps: SignInPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, cookies } = await visitorOf(deps, request)
  return page(
    { title: 'Sign in', scripts: [SIGN_IN_SCRIPT_PATH], cookies },
    <>
      <PasskeySignIn issuer={deps.issuer} formKey={formKey} />
      <section aria-labelledby="by-ticket">
        <h2 id="by-ticket">With the command line</h2>
        <p>
          Run <code>credence console</code> on the machine that has your profile. It opens this page with a ticket, or prints one.
        </p>
        <Form action="/sign-in/ticket" formKey={formKey} purpose="sign-in.ticket">
          <label for="ticket">Ticket</label>
          <input id="ticket" name="ticket" required maxLength={64} autoComplete="off" autoCapitalize="none" spellcheck={false} />
          <button type="submit">Continue</button>
        </Form>
      </section>
    </>,
  )
}

async function receiveTicket(deps: SignInPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, signIn: earlier } = await visitorOf(deps, request)
  const form = requireForm(request, deps.issuer, { formKey, purpose: 'sign-in.ticket' })
  return attempt(deps, request, async () => {
    const { now } = await deps.trustLog.readBarrier()
    const redeemed = await redeemTicket(deps, form.get('ticket') ?? '', now)
    if (!redeemed || !(await findGranted(deps, redeemed.offered)))
      return refuse('code_invalid', 'the ticket is wrong, used or expired; run "credence console" again')
    const { offered } = redeemed
    // A page that sent the browser here comes first: an application may wait for it
    const returnTo = earlier?.returnTo ?? redeemed.returnTo
    return seeOther('/sign-in/confirm', [await saveSignIn(deps, request, { returnTo, offered }, now)])
  })
}

/** Names the member. So a person notices when a link signs them in as somebody else. */
async function confirmPage(deps: SignInPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, signIn: begun } = await visitorOf(deps, request)
  if (!begun?.offered) return seeOther('/sign-in')
  const { member, organisation } = await requireOffered(deps, begun.offered)
  return page(
    { title: 'Sign in' },
    <>
      <p>
        You sign in as <Foreign text={member.name} /> of <Foreign text={organisation.name} />.
      </p>
      <p>If this is somebody else, close this page: what you do afterwards would be theirs.</p>
      <Form action="/sign-in/confirm" formKey={formKey} purpose="sign-in.confirm">
        <button type="submit">Sign in</button>
      </Form>
    </>,
  )
}

async function confirm(deps: SignInPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, signIn: begun } = await visitorOf(deps, request)
  requireForm(request, deps.issuer, { formKey, purpose: 'sign-in.confirm' })
  return begun?.offered ? signIn(deps, request, begun.offered, { returnTo: begun.returnTo, consuming: begun.id }) : seeOther('/sign-in')
}

async function requireOffered(deps: SignInPagesDeps, grant: SignInGrant) {
  const client = await findGranted(deps, grant)
  const [member, organisation] = await Promise.all([deps.members.get(grant.memberId), client && deps.organisations.get(client.orgId)])
  return member && organisation ? { member, organisation } : refuse('code_invalid', 'the sign-in is no longer valid; start again')
}
