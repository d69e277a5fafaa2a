import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { addressPrefix } from '../../http/limits/address-prefix.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { Form } from '../../http/pages/form.js'
import { seeOther } from '../../http/pages/html.js'
import { page } from '../../http/pages/page.js'
import type { HttpRequest, HttpResponse, Route } from '../../http/route.js'
import { personForm, personPage } from '../../identity/people/person-routes.js'
import type { PersonCaller } from '../../identity/people/session.js'
import type { SignInDeps } from '../../identity/people/sign-in.js'
import { pathOf, savePending } from '../authorize/pending.js'
import { type FindDeviceDeps, findByUserCode } from './find-request.js'

export type DevicePagesDeps = SignInDeps &
  FindDeviceDeps & { readonly rateLimits: Pick<RateLimits, 'wrongUserCodes' | 'wrongUserCodesOfAddress'> }

export const DEVICE_PATH = '/device'
const PURPOSE = 'device.code'
const MAX_TYPED = 16

/**
 * The page on which a person types the code that a device shows. The next page is the consent page, as for every other client.
 *
 * @see [RFC 8628 §3.3](https://www.rfc-editor.org/rfc/rfc8628.html#section-3.3)
 */
export const devicePages = (deps: DevicePagesDeps): Route[] => [
  personPage(deps, DEVICE_PATH, async (person, { query }) =>
    page({ title: 'Connect a device', viewer: person }, CodeForm({ person, userCode: query.get('user_code')?.slice(0, MAX_TYPED) })),
  ),
  personForm(deps, DEVICE_PATH, { purpose: PURPOSE }, (person, form, request) => receiveCode(deps, person, form, request)),
]

function CodeForm({ person, userCode }: { readonly person: PersonCaller; readonly userCode: string | undefined }) {
  return (
    <>
      {userCode === undefined ? (
        <p>Enter the code that your device shows.</p>
      ) : (
        <p class="note">
          Compare this code with the one on your device. If another person sent you this link, it may connect their device, not yours.
        </p>
      )}
      <p>Continue only if you have just started this on your own device.</p>
      <Form action={DEVICE_PATH} formKey={person.formKey} purpose={PURPOSE}>
        <label for="user_code">Code on the device</label>
        <input
          id="user_code"
          name="user_code"
          value={userCode}
          required
          maxLength={MAX_TYPED}
          autoComplete="off"
          autoCapitalize="characters"
          spellcheck={false}
        />
        <button type="submit">{userCode === undefined ? 'Continue' : 'My device shows this code'}</button>
      </Form>
    </>
  )
}

/** Counts wrong codes for the session and the address of the sender, because a person could guess the code of another person's device. */
async function receiveCode(deps: DevicePagesDeps, person: PersonCaller, form: OAuthForm, request: HttpRequest): Promise<HttpResponse> {
  const { wrongUserCodes, wrongUserCodesOfAddress, signInStarts } = deps.rateLimits
  const address = addressPrefix(request.address)
  const refusal = wrongUserCodes.take(person.sessionId) ?? wrongUserCodesOfAddress.take(address)
  if (refusal) throw refusal
  const { now } = person.barrier
  const device = await findByUserCode(deps, form.get('user_code') ?? '', now)
  if (!device) return refuse('code_invalid', 'the code is wrong, already used or expired; check it on your device, or start again there')
  wrongUserCodes.refund(person.sessionId)
  wrongUserCodesOfAddress.refund(address)
  const tooMany = signInStarts.take(address)
  if (tooMany) throw tooMany
  const { clientId, orgId, dependsOn, request: asked, id: deviceId } = device
  const pending = { clientId, ...(orgId && { orgId }), dependsOn, request: asked, deviceId, memberId: person.id }
  const { requestUri } = await savePending(deps, pending, { isPushed: false, now })
  return seeOther(pathOf(clientId, requestUri))
}

/** The page after the decision. The device learns the decision from its next poll. */
export const DeviceDecided = ({ isDenied }: { readonly isDenied: boolean }) => (
  <p>{isDenied ? 'The device gets no access. You can close this page.' : 'Return to your device. It continues within a few seconds.'}</p>
)
