import { refuse } from '../../../errors.js'
import { Foreign } from '../../../http/pages/foreign.js'
import { Form, requireForm } from '../../../http/pages/form.js'
import { seeOther } from '../../../http/pages/html.js'
import { page } from '../../../http/pages/page.js'
import type { HttpRequest, HttpResponse, Route } from '../../../http/route.js'
import { newId } from '../../../protocol/ids.js'
import { requireInvitation, requireOpenInvitation } from '../../members/invite.js'
import { issuersOf } from '../limits/standing.js'
import { whyNoPasskeys } from '../passkeys/ceremony.js'
import { beginCeremony, ceremonyForm, type PasskeyPagesDeps } from '../passkeys/pages.js'
import { pageRoute } from '../person-routes.js'
import { attempt, visitorOf } from '../sign-in.js'
import { SIGN_IN_SCRIPT_PATH } from '../sign-in-script.js'

const ACCEPT = '/invitation/accept'

/** The pages with which an invited person joins: by a passkey, or by the OpenID Provider of the organisation. */
export const invitationPages = (deps: PasskeyPagesDeps): Route[] => [
  pageRoute('GET', '/invitation', (request) => invitationPage(deps, request)),
  pageRoute('POST', '/invitation', (request) => beginJoin(deps, request)),
  pageRoute('GET', ACCEPT, (request) => acceptPage(deps, request)),
]

async function invitationPage(deps: PasskeyPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, cookies } = await visitorOf(deps, request)
  const why = whyNoPasskeys(deps.issuer)
  return page(
    { title: 'Accept an invitation', scripts: [SIGN_IN_SCRIPT_PATH], cookies },
    <>
      {why !== undefined && <p>{why} You can join if your organisation has an OpenID Provider.</p>}
      <Form action="/invitation" formKey={formKey} purpose="invitation">
        <label for="code">Code of the invitation</label>
        <input id="code" name="code" required maxLength={128} autoComplete="off" autoCapitalize="none" spellcheck={false} />
        <label for="name">Your name, as others see it</label>
        <input id="name" name="name" required maxLength={128} autoComplete="name" />
        <button type="submit">Continue</button>
      </Form>
      <p>
        With the command line, redeem the code by <code>{`credence login --registry ${deps.issuer} --code -`}</code>.
      </p>
    </>,
  )
}

/** Checks an invitation. It is redeemed with the passkey or the account. */
async function beginJoin(deps: PasskeyPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey } = await visitorOf(deps, request)
  const form = requireForm(request, deps.issuer, { formKey, purpose: 'invitation' })
  const name = (form.get('name') ?? '').trim()
  if (name === '' || name.length > 128) refuse('invalid_request', 'the name must have 1 to 128 characters')
  return attempt(deps, request, async () => {
    const { now } = await deps.trustLog.readBarrier()
    const { id } = await requireInvitation(deps, form.get('code') ?? '', now)
    const joining = { use: 'join', memberId: newId(deps.random, 'mem'), name, invitationId: id } as const
    return beginCeremony(deps, request, joining, { location: ACCEPT })
  })
}

/** Names the organisation and the role, and offers the ways to join. */
async function acceptPage(deps: PasskeyPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, signIn: begun } = await visitorOf(deps, request)
  if (begun?.passkey?.use !== 'join') return seeOther('/invitation')
  const { passkey } = begun
  const { now } = await deps.trustLog.readBarrier()
  const { orgId, role } = await requireOpenInvitation(deps, await deps.members.invitations.get(passkey.invitationId ?? ''), now)
  const [organisation, issuers] = await Promise.all([deps.organisations.get(orgId), issuersOf(deps, orgId)])
  const why = whyNoPasskeys(deps.issuer)
  return page(
    {
      title: 'Join an organisation',
      scripts: [SIGN_IN_SCRIPT_PATH],
      formAction: issuers.map(({ authorizationOrigin }) => authorizationOrigin),
    },
    <>
      <p>
        You join <Foreign text={organisation?.name ?? orgId} /> as <Foreign text={passkey.name ?? ''} />, in the role{' '}
        <strong>{role}</strong>.
      </p>
      <section aria-labelledby="by-passkey">
        <h2 id="by-passkey">With a passkey</h2>
        <p>{why ?? 'It stays on this device or in your password manager; you sign in with it from now on.'}</p>
        {why === undefined && (await ceremonyForm(deps, formKey, passkey))}
      </section>
      {issuers.length > 0 && (
        <section aria-labelledby="by-provider">
          <h2 id="by-provider">With the account of your organisation</h2>
          {issuers.map(({ id, url }) => (
            <Form key={id} action={`/sign-in/${id}`} formKey={formKey} purpose="sign-in.issuer" subject={id}>
              <button type="submit" name="step" value="join">
                Continue at {new URL(url).host}
              </button>
            </Form>
          ))}
        </section>
      )}
    </>,
  )
}
