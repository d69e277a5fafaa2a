import type { VerifiedProof } from '../../credentials/jose/dpop.js'
import { refuse } from '../../errors.js'
import { type OAuthForm, parseForm } from '../../http/form.js'
import type { RateLimits } from '../../http/limits/rate-limit.js'
import { json, type Route } from '../../http/route.js'
import { isCompromised } from '../../identity/keys/quota-slots.js'
import type { RegisteredKeysStore } from '../../identity/keys/store.js'
import { requireReadableName } from '../../identity/names/agent-names.js'
import { DEVICE_CODE } from '../../protocol/grant-types.js'
import { DEVICE_CLIENT_ID, newId } from '../../protocol/ids.js'
import type { Storage } from '../../storage/storage.js'
import { type AuthorizationClient, requireMayAsk } from '../authorize/client.js'
import { type OfferDeps, offersFor, requireTaskOf } from '../authorize/offer.js'
import { type Asking, askingOf, type PendingDeps } from '../authorize/pending.js'
import { parseRequestedRights, REPEATABLE } from '../authorize/request.js'
import type { AuthorizationRequest } from '../authorize/store.js'
import { boundTo, type ProofDeps } from '../client-auth/proof.js'
import { isPublicRequest } from '../client-auth/public-client.js'
import { receiveFromClient, type SenderDeps } from '../client-auth/sender.js'
import { newSecret } from '../families/secret.js'
import { DEVICE_PATH } from './pages.js'
import type { DeviceAuthorization, DevicesStore, RequestedAgent } from './store.js'
import { idOfUserCode, newUserCode } from './user-code.js'

export type DeviceRequestDeps = SenderDeps &
  ProofDeps &
  OfferDeps &
  PendingDeps & {
    readonly devices: DevicesStore
    readonly storage: Pick<Storage, 'count'>
    readonly registeredKeys: RegisteredKeysStore
    readonly rateLimits: Pick<RateLimits, 'deviceRequests'>
  }

const MAX_BYTES = 16_384
const DEVICE_SECONDS = 600
const INTERVAL_SECONDS = 5
/**
 * Limit on the requests of one window of DEVICE_SECONDS: as many by clients that authenticate, and as many by others, so that anonymous senders
 * lock no client out that has keys. A request lives through two windows at most, so no more than 10,000 are open.
 */
const MAX_PER_WINDOW = 2500

/**
 * Stores the authorization request of a device, bound to the key of its proof. The person enters the user code on another device (pages.tsx), while this
 * device polls the token endpoint.
 *
 * @see [RFC 8628 §3.1](https://www.rfc-editor.org/rfc/rfc8628.html#section-3.1)
 */
export const deviceAuthorizationEndpoint = (deps: DeviceRequestDeps): Route => ({
  method: 'POST',
  path: '/oauth/device_authorization',
  maxBodyBytes: () => MAX_BYTES,
  endpoint: async (request) => {
    const form = parseForm(request, REPEATABLE)
    const isPublic = isPublicRequest(form)
    const { proof, consumed, confirm } = await receiveFromClient(deps, request, form, deps.rateLimits.deviceRequests)
    return deps.trustLog.afterBarrier(
      undefined,
      async ({ now }) => {
        const client = requireMayAsk(await confirm(), DEVICE_CODE)
        const asked = boundTo(proof, parseRequestedRights(form, deps.issuer))
        const agent = client.id === DEVICE_CLIENT_ID ? await requestedAgent(deps, form, asked, proof) : undefined
        if (!agent) {
          if (form.get('agent_name') !== undefined)
            refuse('invalid_request', `agent_name: only with client_id=${DEVICE_CLIENT_ID}, which registers an agent`)
          await requirePossible(deps, client, asked)
        }
        const asking = agent ? { clientId: agent.id, dependsOn: [deps.trustLog.epoch] } : askingOf(client)
        const { deviceCode, userCode } = await saveDevice(deps, asking, { request: asked, agent, isPublic, address: request.address, now })
        const uri = `${deps.issuer}${DEVICE_PATH}`
        return json(
          200,
          {
            device_code: deviceCode,
            user_code: userCode,
            verification_uri: uri,
            verification_uri_complete: `${uri}?${new URLSearchParams({ user_code: userCode })}`,
            expires_in: DEVICE_SECONDS,
            interval: INTERVAL_SECONDS,
          },
          { ...(proof && { 'dpop-nonce': proof.freshNonce }) },
        )
      },
      consumed,
    )
  },
})

/** Runs every check that does not depend on the person, before the request is stored. */
const requirePossible = (deps: DeviceRequestDeps, client: AuthorizationClient, asked: AuthorizationRequest) =>
  Promise.all([offersFor(deps, client, asked, undefined), requireTaskOf(deps, client, asked, undefined)])

/** Parses the agent that the approval registers. The DPoP proof shows that the device holds the key. */
async function requestedAgent(
  deps: DeviceRequestDeps,
  form: OAuthForm,
  { taskId }: AuthorizationRequest,
  proof: Pick<VerifiedProof, 'jkt' | 'alg' | 'jwk'> | undefined,
): Promise<RequestedAgent> {
  const name = form.get('agent_name')?.trim()
  if (name === undefined || name === '' || name.length > 128)
    return refuse('invalid_request', 'agent_name: required, the name of the new agent, with at most 128 characters')
  requireReadableName(name)
  if (taskId !== undefined) refuse('invalid_request', 'task_id: not allowed with agent_name; create tasks once the agent is registered')
  if (!proof) return refuse('invalid_dpop_proof', 'send exactly one DPoP header: its key becomes the key of the agent')
  if (await isCompromised(deps, proof.jkt)) refuse('invalid_dpop_proof', 'the key was declared compromised; create a new one')
  return { id: newId(deps.random, 'agt'), name, alg: proof.alg, jwk: { ...proof.jwk } }
}

interface DeviceRequest extends Pick<DeviceAuthorization, 'request' | 'address'> {
  readonly agent: RequestedAgent | undefined
  /** True if the sender has not authenticated. */
  readonly isPublic: boolean
  readonly now: number
}

async function saveDevice(
  { devices, random, storage }: DeviceRequestDeps,
  asking: Asking,
  { agent, isPublic, now, ...asked }: DeviceRequest,
): Promise<{ readonly deviceCode: string; readonly userCode: string }> {
  const window = Math.floor(now / DEVICE_SECONDS)
  const key = `device-requests ${isPublic ? 'public' : 'authenticated'} ${window}`
  if ((await storage.count(key, 1, MAX_PER_WINDOW, (window + 1) * DEVICE_SECONDS)) === undefined)
    refuse('unavailable', 'too many devices ask for an authorization; try again later', { retryAfterSeconds: DEVICE_SECONDS })
  const { familyId, text: deviceCode, digest: code } = newSecret(random, newId(random, 'fam'))
  const expiresAt = now + DEVICE_SECONDS
  for (;;) {
    const userCode = newUserCode(random)
    const device: DeviceAuthorization = {
      ...asking,
      ...asked,
      id: idOfUserCode(userCode),
      familyId,
      code,
      ...(agent && { agent }),
      interval: INTERVAL_SECONDS,
      createdAt: now,
      expiresAt,
      purgeAt: expiresAt + DEVICE_SECONDS,
    }
    // Another request may have the user code
    if ((await devices.insert(device)) === 'inserted') return { deviceCode, userCode }
  }
}
