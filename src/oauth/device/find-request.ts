import { refuse } from '../../errors.js'
import type { PersonCaller } from '../../identity/people/session.js'
import { DEVICE_CODE } from '../../protocol/grant-types.js'
import { stands } from '../../protocol/standing.js'
import { type AuthorizationClient, type AuthorizationClientDeps, requireAuthorizationClient } from '../authorize/client.js'
import { type PendingDeps, requirePending } from '../authorize/pending.js'
import type { PendingAuthorization } from '../authorize/store.js'
import { clientOfRequested } from './register-agent.js'
import type { DeviceAuthorization, DevicesStore } from './store.js'
import { idOfUserCode } from './user-code.js'

export interface FindDeviceDeps extends PendingDeps, AuthorizationClientDeps {
  readonly devices: DevicesStore
}

/** Finds the undecided, unexpired request of a device by the user code that a person has typed. */
export async function findByUserCode(
  { devices, trustLog }: FindDeviceDeps,
  typed: string,
  now: number,
): Promise<DeviceAuthorization | undefined> {
  const device = await devices.get(idOfUserCode(typed))
  return device && isOpen(device, now) && stands(trustLog.ended, device.dependsOn) ? device : undefined
}

const isOpen = ({ decision, expiresAt }: DeviceAuthorization, now: number): boolean => decision === undefined && expiresAt > now

interface DeviceRequest {
  readonly client: AuthorizationClient
  readonly person: PersonCaller
  readonly pending: PendingAuthorization
  readonly device: DeviceAuthorization
  readonly now: number
}

/** Finds the request whose user code this person has typed. Refuses another person who opens the same address, because they have not compared the code. */
export async function requireDeviceRequest(
  deps: FindDeviceDeps,
  person: PersonCaller,
  requestUri: string,
  address: string,
): Promise<DeviceRequest> {
  const { now } = person.barrier
  const isOf = ({ deviceId, memberId }: PendingAuthorization) => deviceId !== undefined && memberId === person.id
  const pending = await requirePending(deps, isOf, requestUri, now)
  const device = await deps.devices.get(pending.deviceId ?? '')
  if (!device || !isOpen(device, now))
    return refuse('conflict', 'the request of the device was already decided, or has expired; start again on the device')
  const client = device.agent
    ? clientOfRequested(device.agent, person.orgId)
    : await requireAuthorizationClient(deps, device.clientId, { address, audience: device.request.audiences[0] }, DEVICE_CODE)
  return { client, person, pending, device, now }
}
