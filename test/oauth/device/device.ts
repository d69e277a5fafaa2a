import type { Signer } from '../../../src/credentials/jose/sign.js'
import type { JsonObject } from '../../../src/lib/json.js'
import { type Browser, hiddenFieldsOf, type Shown } from '../../identity/people/browser.js'
import type { Actor, Registry } from '../../registry.js'
import { decide, type PersonWorld } from '../authorize/person-world.js'
import { assertionOf, type OAuthResponse, postForm, proofOf } from '../requests.js'

export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
export const DEVICE_ENDPOINT = '/oauth/device_authorization'

/** A program on a device: a registered client, or one that is to become an agent. */
export interface Device {
  readonly client?: Actor | undefined
  readonly signer: Signer
}

/** Sends a form with the proof of the device, and again with the nonce of the response. */
async function withProof(registry: Registry, path: string, { client, signer }: Device, form: JsonObject): Promise<OAuthResponse> {
  const send = async (nonce?: string) => {
    const dpop = await proofOf(registry, signer, { path, ...(nonce !== undefined && { nonce }) })
    const identified = client
      ? {
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await assertionOf(registry, client),
        }
      : { client_id: 'cli_device' }
    return postForm(registry, path, { ...identified, ...form }, { dpop })
  }
  const first = await send()
  return first.body.error === 'use_dpop_nonce' ? send(first.headers.get('dpop-nonce') ?? '') : first
}

export const askFor = (registry: Registry, device: Device, form: JsonObject = {}): Promise<OAuthResponse> =>
  withProof(registry, DEVICE_ENDPOINT, device, form)

export const poll = (registry: Registry, device: Device, deviceCode: string, more: JsonObject = {}): Promise<OAuthResponse> =>
  withProof(registry, '/oauth/token', device, { grant_type: DEVICE_CODE, device_code: deviceCode, ...more })

export const typeCode = async (browser: Browser, userCode: string): Promise<Shown> =>
  browser.submit(await browser.get('/device'), '/device', { user_code: userCode })

/** Types the code and gets the page of the consent. */
export const consentPage = async (browser: Browser, userCode: string): Promise<Shown> => browser.follow(await typeCode(browser, userCode))

/** Types the code and decides. By default everything is allowed, for 20 days. */
export async function answer(registry: Registry, world: Pick<PersonWorld, 'browser'>, userCode: string, fields = {}): Promise<Shown> {
  return answerOn(registry, world, await consentPage(world.browser, userCode), fields)
}

/** Decides on the page of the consent. */
export function answerOn(registry: Registry, { browser }: Pick<PersonWorld, 'browser'>, shown: Shown, fields = {}): Promise<Shown> {
  const until = new Date((registry.clock.now() + 20 * 86_400) * 1000).toISOString().slice(0, 10)
  const agentName = /name="agentName" value="([^"]*)"/.exec(shown.text)?.[1]
  return decide(browser, shown, { duration: 'until', until, ...(agentName !== undefined && { agentName }), ...fields })
}

export { hiddenFieldsOf }
