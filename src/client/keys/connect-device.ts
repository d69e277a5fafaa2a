import { z } from 'zod'
import { proveDpop, type Signer } from '../../credentials/jose/sign.js'
import { CredenceError, refuse } from '../../errors.js'
import { type Clock, clientClock } from '../../lib/clock.js'
import type { JsonObject } from '../../lib/json.js'
import { type Random, systemRandom } from '../../lib/random.js'
import { DEVICE_CODE } from '../../protocol/grant-types.js'
import { DEVICE_CLIENT_ID } from '../../protocol/ids.js'
import { type OptionNames, requireOptions } from '../../protocol/options.js'
import { type Agent, createAgent } from '../agent.js'
import { errorOf, type Fetch, parseResponse, requestJson, withOneRetry } from '../http.js'
import { fetchMetadata, issuerOf } from '../registry.js'
import type { AccessToken } from '../tokens.js'

/** The address and the code that the program shows to its user, who opens the address on any device. */
export interface DeviceCode {
  readonly userCode: string
  readonly verificationUri: string
  /** The same address with the code, for a QR code. The person still compares the code. */
  readonly verificationUriComplete: string
  /** Epoch seconds of this device's clock. */
  readonly expiresAt: number
}

export interface ConnectDeviceOptions {
  readonly issuer: string
  /** The name of the new agent, which the person may change. */
  readonly name: string
  /** The key of the new agent. The private key stays on the device. */
  readonly signer: Signer
  /** Shows the code. */
  readonly onCode: (code: DeviceCode) => void
  /** Agents and resources, by their audience, where the agent is to act besides the registry. */
  readonly resources?: readonly string[]
  /** Scopes, separated by spaces: at the registry and at the resources. Default: all that they offer. With `offline_access` the result has a refresh token. */
  readonly scope?: string
  /** Ends the wait: the call then fails with the reason of the signal. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
  readonly random?: Random
  readonly fetch?: Fetch
}

export interface DeviceConnected {
  /** The new agent with its key. */
  readonly agent: Agent
  readonly clientId: string
  /** A token for the person. One for the registry can be exchanged (`exchange({ subjectToken })`). */
  readonly token: AccessToken
  readonly refreshToken?: string
}

const OPTIONS: OptionNames<ConnectDeviceOptions> = {
  issuer: true,
  name: true,
  signer: true,
  onCode: true,
  resources: true,
  scope: true,
  signal: true,
  clock: true,
  random: true,
  fetch: true,
}

const SLOWER_SECONDS = 5

const CodeResponse = z.object({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: z.string(),
  verification_uri_complete: z.string(),
  expires_in: z.number(),
  interval: z.number().default(5),
})
const TokenResponse = z.object({
  access_token: z.string(),
  expires_in: z.number(),
  scope: z.string(),
  refresh_token: z.string().optional(),
  client_id: z.string(),
})

/**
 * Makes this program an agent of the person who types the code: with the key of `signer`, and with at most the rights that the person allows. Resolves after the
 * approval. Fails with `access_denied` or `expired_token` if there is none.
 *
 * @see [RFC 8628](https://www.rfc-editor.org/rfc/rfc8628.html)
 */
export async function connectDevice(options: ConnectDeviceOptions): Promise<DeviceConnected> {
  requireOptions('connectDevice', options, OPTIONS)
  const { name, signer, onCode, resources = [], scope, signal } = options
  const { clock = clientClock, random = systemRandom, fetch = globalThis.fetch } = options
  const deps = { clock, random, fetch, signer }
  const { issuer, token_endpoint: tokenUrl } = await fetchMetadata(deps, issuerOf(options.issuer))
  const audiences = [issuer, ...resources]
  const post = poster(deps)
  const begun = parseResponse(
    CodeResponse,
    await post(`${issuer}/oauth/device_authorization`, [
      ['agent_name', name],
      ...audiences.map((audience): Parameter => ['resource', audience]),
      ...(scope === undefined ? [] : [['scope', scope] as const]),
    ]),
    'the response of the device authorization endpoint',
  )
  const expiresAt = clock.now() + begun.expires_in
  const { user_code: userCode, verification_uri: verificationUri, verification_uri_complete: verificationUriComplete } = begun
  onCode({ userCode, verificationUri, verificationUriComplete, expiresAt })
  const poll = () => pollOnce(audiences, (audience) => post(tokenUrl, [...grantOf(begun.device_code), ['resource', audience]]))
  for (let interval = begun.interval; clock.now() < expiresAt; ) {
    await clock.after(interval * 1000, signal)
    signal?.throwIfAborted()
    const polled = await poll()
    if (polled === 'slow_down') interval += SLOWER_SECONDS
    else if (polled !== 'authorization_pending') return connected({ ...deps, issuer }, polled)
  }
  return refuse('expired_token', 'no person allowed the device before its code expired: start again')
}

type Parameter = readonly [string, string]

const grantOf = (deviceCode: string): readonly Parameter[] => [
  ['grant_type', DEVICE_CODE],
  ['device_code', deviceCode],
]

/** The person may have allowed some of the audiences only. A token is for one that was allowed. */
async function pollOnce(
  [audience, ...others]: readonly string[],
  request: (audience: string) => Promise<JsonObject>,
): Promise<JsonObject | 'authorization_pending' | 'slow_down'> {
  try {
    return await request(audience ?? '')
  } catch (error) {
    const reason = error instanceof CredenceError ? error.reason : undefined
    if (reason === 'authorization_pending' || reason === 'slow_down') return reason
    // RFC 8628 §3.5: after a failed request the client polls less often
    if (reason === 'unavailable' || reason === 'standing_unknown' || reason === 'rate_limited') return 'slow_down'
    if (reason === 'invalid_target' && others.length > 0) return pollOnce(others, request)
    throw error
  }
}

type PostDeps = Pick<Required<ConnectDeviceOptions>, 'clock' | 'random' | 'fetch' | 'signer'>

/** Posts forms with a proof of the key, again with the nonce of the response (RFC 9449 §8). */
function poster(deps: PostDeps) {
  let nonce: string | undefined
  const once = async (url: string, form: readonly Parameter[]): Promise<JsonObject> => {
    const dpop = await proveDpop(deps, { htm: 'POST', htu: url, ...(nonce !== undefined && { nonce }) })
    const body = new URLSearchParams([['client_id', DEVICE_CLIENT_ID], ...form.map(([name, value]): [string, string] => [name, value])])
    const { response, body: answer } = await requestJson(deps, url, { method: 'POST', headers: { dpop }, body })
    nonce = response.headers.get('dpop-nonce') ?? nonce
    if (!response.ok) throw errorOf(response, answer)
    return answer
  }
  return (url: string, form: readonly Parameter[]): Promise<JsonObject> =>
    withOneRetry(deps, () =>
      once(url, form).catch((error: unknown) => {
        if (error instanceof CredenceError && error.reason === 'use_dpop_nonce') return once(url, form)
        throw error
      }),
    )
}

function connected({ issuer, ...deps }: PostDeps & { readonly issuer: string }, body: JsonObject): DeviceConnected {
  const parsed = parseResponse(TokenResponse, body, 'the response of the token endpoint')
  const { client_id: clientId, access_token: accessToken, scope, expires_in: seconds, refresh_token: refreshToken } = parsed
  return {
    agent: createAgent({ ...deps, issuer, clientId }),
    clientId,
    token: { accessToken, scope, expiresAt: deps.clock.now() + seconds },
    ...(refreshToken !== undefined && { refreshToken }),
  }
}
