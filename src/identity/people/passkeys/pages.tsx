import { Form, requireForm } from '../../../http/pages/form.js'
import { seeOther } from '../../../http/pages/html.js'
import { page } from '../../../http/pages/page.js'
import { Time } from '../../../http/pages/time.js'
import type { HttpRequest, HttpResponse, Route } from '../../../http/route.js'
import { RegisteredKeyId } from '../../../protocol/ids.js'
import { passkeysOf } from '../limits/standing.js'
import { idIn, pageRoute, personForm } from '../person-routes.js'
import { findSession } from '../session.js'
import { attempt, HOME, saveSignIn, signIn, visitorOf } from '../sign-in.js'
import { SIGN_IN_SCRIPT_PATH } from '../sign-in-script.js'
import type { PasskeyCeremony, SignIn } from '../store.js'
import type { AccountSection } from '../you-page.js'
import { authenticationOptions, registrationOptions, whyNoPasskeys } from './ceremony.js'
import { addPasskey, joinByPasskey, type PasskeyDeps, proveByPasskey, revokePasskey } from './passkeys.js'

export type PasskeyPagesDeps = PasskeyDeps

const CEREMONY_SECONDS = 300

/** The pages with which a person registers and uses passkeys. Without a host name there are none. */
export const passkeyPages = (deps: PasskeyPagesDeps): Route[] =>
  whyNoPasskeys(deps.issuer) === undefined
    ? [
        pageRoute('POST', '/sign-in/passkey', (request) => beginSignIn(deps, request)),
        personForm(deps, '/you/passkeys', { purpose: 'passkeys.begin' }, async ({ id, name }, _, request) =>
          beginCeremony(deps, request, { use: 'add', memberId: id, name }),
        ),
        personForm(
          deps,
          '/you/passkeys/:keyId/revoke',
          { purpose: 'passkeys.revoke', subjectOf: ({ params }) => params.keyId ?? '' },
          async (person, _, { params }) => {
            await revokePasskey(deps, person, idIn(RegisteredKeyId, params.keyId), { reason: 'user_request' })
            return seeOther(HOME)
          },
        ),
        pageRoute('GET', '/passkey', (request) => ceremonyPage(deps, request)),
        pageRoute('POST', '/passkey', (request) => receiveCredential(deps, request)),
      ]
    : []

/** A part of the sign-in page. */
export function PasskeySignIn({ issuer, formKey }: { readonly issuer: string; readonly formKey: string }) {
  const why = whyNoPasskeys(issuer)
  return (
    <section aria-labelledby="by-passkey">
      <h2 id="by-passkey">With a passkey</h2>
      {why === undefined ? (
        <Form action="/sign-in/passkey" formKey={formKey} purpose="sign-in.passkey">
          <button type="submit">Use a passkey</button>
        </Form>
      ) : (
        <p>{why}</p>
      )}
    </section>
  )
}

async function beginSignIn(deps: PasskeyPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, signIn: earlier } = await visitorOf(deps, request)
  requireForm(request, deps.issuer, { formKey, purpose: 'sign-in.passkey' })
  return beginCeremony(deps, request, { use: 'sign-in' }, { earlier })
}

/** Begins a ceremony with a challenge, which is valid for one response, and continues at `location`. */
export async function beginCeremony(
  deps: PasskeyPagesDeps,
  request: HttpRequest,
  ceremony: Omit<PasskeyCeremony, 'challenge' | 'expiresAt'>,
  { earlier, location = '/passkey' }: { readonly earlier?: SignIn | undefined; readonly location?: string } = {},
): Promise<HttpResponse> {
  const { now } = await deps.trustLog.readBarrier()
  const passkey = { ...ceremony, challenge: deps.random.token(32), expiresAt: now + CEREMONY_SECONDS }
  return seeOther(location, [await saveSignIn(deps, request, { returnTo: earlier?.returnTo, passkey }, now)])
}

/** The page that calls the authenticator for a sign-in or a further passkey. */
async function ceremonyPage(deps: PasskeyPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, signIn: begun } = await visitorOf(deps, request)
  if (!begun?.passkey || begun.passkey.use === 'join') return seeOther('/sign-in')
  const title = begun.passkey.use === 'sign-in' ? 'Sign in with a passkey' : 'Create a passkey'
  return page({ title, scripts: [SIGN_IN_SCRIPT_PATH] }, await ceremonyForm(deps, formKey, begun.passkey))
}

/** The form that calls the authenticator. It needs the script of the sign-in. */
export async function ceremonyForm(deps: PasskeyPagesDeps, formKey: string, ceremony: PasskeyCeremony) {
  const { use, challenge } = ceremony
  const options = use === 'sign-in' ? authenticationOptions(deps.issuer, challenge) : await creationOptions(deps, ceremony)
  return (
    <>
      <p id="problem" class="error" role="alert" hidden />
      <noscript>
        <p class="error">Passkeys need scripts, which this browser does not run. Use the command line instead.</p>
      </noscript>
      <Form action="/passkey" formKey={formKey} purpose="passkey" subject={challenge} options={options}>
        <input type="hidden" name="credential" value="" />
        <button type="submit">{use === 'sign-in' ? 'Use a passkey' : 'Create a passkey'}</button>
      </Form>
    </>
  )
}

async function creationOptions(deps: PasskeyPagesDeps, { challenge, memberId, name = '', use }: PasskeyCeremony): Promise<object> {
  const known = use === 'add' && memberId ? await passkeysOf(deps, memberId) : []
  return registrationOptions(deps.issuer, {
    challenge,
    memberId: memberId ?? '',
    name,
    known: known.map(({ credentialId }) => credentialId),
  })
}

async function receiveCredential(deps: PasskeyPagesDeps, request: HttpRequest): Promise<HttpResponse> {
  const { formKey, signIn: begun } = await visitorOf(deps, request)
  const form = requireForm(request, deps.issuer, { formKey, purpose: 'passkey', subject: begun?.passkey?.challenge ?? '' })
  if (!begun?.passkey) return seeOther('/sign-in')
  const credential = form.get('credential')
  if (begun.passkey.use === 'add') {
    const person = await findSession(deps, request)
    if (!person) return seeOther('/sign-in')
    await addPasskey(deps, person, begun, credential)
    return seeOther(HOME)
  }
  const prove = begun.passkey.use === 'join' ? joinByPasskey : proveByPasskey
  return attempt(deps, request, async () => signIn(deps, request, await prove(deps, begun, credential), { returnTo: begun.returnTo }))
}

/** The passkeys of a person. */
export const passkeysSection =
  (deps: PasskeyPagesDeps): AccountSection =>
  async (person) => {
    const why = whyNoPasskeys(deps.issuer)
    const passkeys = await passkeysOf(deps, person.id)
    return (
      <section aria-labelledby="passkeys">
        <h2 id="passkeys">Your passkeys</h2>
        {passkeys.length === 0 && <p>You have no passkeys.</p>}
        <ul class="items">
          {passkeys.map(({ id, createdAt, usedAt }) => (
            <li key={id}>
              <code>{id}</code>
              <p class="hint">
                Created <Time at={createdAt} />, last used <Time at={usedAt} />
              </p>
              <Form action={`/you/passkeys/${id}/revoke`} formKey={person.formKey} purpose="passkeys.revoke" subject={id}>
                <button class="danger small" type="submit" aria-label={`Remove the passkey ${id}`}>
                  Remove
                </button>
              </Form>
            </li>
          ))}
        </ul>
        {why === undefined ? (
          <Form action="/you/passkeys" formKey={person.formKey} purpose="passkeys.begin">
            <button type="submit">Add a passkey</button>
          </Form>
        ) : (
          <p>{why}</p>
        )}
      </section>
    )
  }
