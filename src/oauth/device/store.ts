import { z } from 'zod'
import { ConsentClientId } from '../../delegation/consents/store.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, FamilyId, MemberId, OrgId } from '../../protocol/ids.js'
import { KeyStatement } from '../../protocol/key-statement.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { AuthorizationRequest } from '../authorize/store.js'

/** An agent that the approval registers with the key of the device. */
const RequestedAgent = KeyStatement.pick({ alg: true, jwk: true }).extend({ id: AgentId, name: z.string().min(1).max(128) })
export type RequestedAgent = z.infer<typeof RequestedAgent>

/**
 * A request of a device (RFC 8628). The device code is the code of the family that the approval creates. `decision` is written once; it guards the commit of
 * the decision.
 */
export const DeviceAuthorization = z.strictObject({
  /** Digest of the user code. */
  id: z.string().length(43),
  familyId: FamilyId,
  /** Digest of the device code. */
  code: z.string().length(43),
  clientId: ConsentClientId,
  orgId: OrgId.optional(),
  /** Identities and versions of the client, and the epoch. The request is void once one has ended. */
  dependsOn: z.array(Handle).max(64),
  request: AuthorizationRequest,
  /** The address that asked, which the page shows. */
  address: z.string().max(64),
  /** Absent if a registered client asks for itself. */
  agent: RequestedAgent.optional(),
  /** Seconds that the device must wait between two polls. */
  interval: z.int().min(1),
  polledAt: z.int().optional(),
  /** The request that polled last. It may decide twice (`afterBarrier`). */
  pollAttempt: z.string().length(22).optional(),
  decision: z.enum(['allowed', 'denied']).optional(),
  /** The person who decided. */
  memberId: MemberId.optional(),
  createdAt: z.int(),
  expiresAt: z.int(),
  /** An expired code is answered with `expired_token` until then. */
  purgeAt: z.int(),
})
export type DeviceAuthorization = z.infer<typeof DeviceAuthorization>

export type DevicesStore = Collection<DeviceAuthorization>

export const DEVICE_AUTHORIZATIONS: OwnedSpec<DeviceAuthorization> = {
  name: 'device-authorizations',
  schema: DeviceAuthorization,
  key: 'id',
  indexes: { family: { fields: ['familyId', 'createdAt'] } },
  expires: 'purgeAt',
  ownedBy: ['orgId', 'memberId'],
}

export const devicesStore = ({ storage }: { readonly storage: Storage }): DevicesStore => storage.collection(DEVICE_AUTHORIZATIONS)
