import { refuse } from '../../errors.js'
import { equalTexts } from '../../lib/bytes.js'
import { DEVICE_CLIENT_ID } from '../../protocol/ids.js'
import { stands } from '../../protocol/standing.js'
import type { AuthenticatedClient } from '../client-auth/client-auth.js'
import { parseSecret, type Secret } from '../families/secret.js'
import { type FamilyRequest, refuseSecret, useDeviceCode } from '../families/use.js'
import { type FamilyGrantDeps, grantByFamily } from '../grants/family.js'
import type { IssuedToken } from '../issue.js'
import type { DeviceAuthorization, DevicesStore } from './store.js'

export type DeviceGrantDeps = FamilyGrantDeps & { readonly devices: DevicesStore }

/** Added to the interval for each poll that is too early, up to MAX_INTERVAL_SECONDS. */
const SLOWER_SECONDS = 5
const MAX_INTERVAL_SECONDS = 60

/**
 * Issues the token to a polling device once a person has approved. A device code is bound to the client and the key of its request, and gives one token.
 *
 * @see [RFC 8628 §3.4](https://www.rfc-editor.org/rfc/rfc8628.html#section-3.4), [§3.5](https://www.rfc-editor.org/rfc/rfc8628.html#section-3.5)
 */
export async function grantDeviceCode(deps: DeviceGrantDeps, request: FamilyRequest): Promise<IssuedToken> {
  const code = parseSecret(request.form.get('device_code') ?? refuse('invalid_request', 'device_code is missing')) ?? refuseSecret()
  const device = await requireDevice(deps, request, code)
  const { now } = request.barrier
  if (device.decision === 'denied') return refuse('access_denied', 'the person has denied the request')
  if (device.decision === undefined) {
    if (device.expiresAt <= now || !stands(deps.trustLog.ended, device.dependsOn)) return refuseExpired()
    return refusePending(deps, request, device)
  }
  const asClient = device.agent ? { ...request, authenticated: await agentOf(deps, device, request) } : request
  const issued = await grantByFamily(deps, asClient, (familyDeps, one) => useDeviceCode(familyDeps, one, code))
  return device.agent ? { ...issued, clientId: device.agent.id } : issued
}

/** Finds the request of this client and this key. All other requests get the same refusal, which does not count as a poll. */
async function requireDevice(
  { devices }: DeviceGrantDeps,
  { authenticated: { client }, jkt }: FamilyRequest,
  { familyId, digest }: Secret,
): Promise<DeviceAuthorization> {
  const [device] = (await devices.find('family', { where: { familyId }, limit: 1 })).items
  if (!device || !equalTexts(digest, device.code)) return refuseSecret()
  const ids: readonly string[] = [client.id, client.clientUri ?? client.id]
  const isOfClient = device.agent ? client.id === DEVICE_CLIENT_ID : ids.includes(device.clientId)
  const isOfKey = device.request.jkt === undefined || device.request.jkt === jkt
  return isOfClient && isOfKey ? device : refuseSecret()
}

const refuseExpired = (): never => refuse('expired_token', 'the device code has expired, or the client was changed or revoked: start again')

/** RFC 8628 §3.5. Stores the time of the poll. Of several concurrent polls only one is in time. */
async function refusePending(
  { devices }: DeviceGrantDeps,
  { barrier: { now }, attempt }: FamilyRequest,
  { id, interval, polledAt, pollAttempt }: DeviceAuthorization,
): Promise<never> {
  const isTooEarly = polledAt !== undefined && now < polledAt + interval
  if (pollAttempt !== attempt) {
    const slower = isTooEarly ? Math.min(interval + SLOWER_SECONDS, MAX_INTERVAL_SECONDS) : interval
    const polled = await devices.change(
      id,
      { decision: null, polledAt: polledAt ?? null },
      { polledAt: now, pollAttempt: attempt, interval: slower },
    )
    if (!polled || isTooEarly) return refuse('slow_down', `poll at most every ${slower} seconds`)
  }
  return refuse('authorization_pending', 'the person has not decided yet: poll again')
}

/** The agent that the device has become. It is authenticated by its key, which the proof shows. */
async function agentOf({ clients }: DeviceGrantDeps, { agent }: DeviceAuthorization, { jkt }: FamilyRequest): Promise<AuthenticatedClient> {
  const client = agent && (await clients.find(agent.id))
  const key = client?.keys.find((one) => one.jkt === jkt)
  return client && key ? { client, key } : refuseSecret()
}
