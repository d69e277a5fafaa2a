import { z } from 'zod'
import { ConsentClientId } from '../../delegation/consents/store.js'
import { Handle } from '../../protocol/handles.js'
import { Audience, Jkt, MemberId, OrgId, TaskId } from '../../protocol/ids.js'
import { Delegation, Names, Scope } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

const MAX_AUDIENCES = 8

/** The parameters of an authorization request. */
export const AuthorizationRequest = z.strictObject({
  /** Absent in a request of a device (oauth/device): no browser is sent back to it. */
  redirectUri: z.string().max(2048).optional(),
  state: z.string().max(512).optional(),
  /** PKCE, always S256. Absent in a request of a device. */
  challenge: z.string().length(43).optional(),
  /** The registry itself, if the client names no resource. */
  audiences: z.array(Audience).min(1).max(MAX_AUDIENCES),
  /** Absent: all that can be granted. */
  scopes: z.array(Scope).max(64).optional(),
  isOffline: z.boolean(),
  tools: Names.optional(),
  resources: Names.optional(),
  delegation: Delegation.optional(),
  taskId: TaskId.optional(),
  prompt: z.enum(['none', 'login', 'consent']).optional(),
  maxAge: z.int().min(0).optional(),
  /** The key that the code is bound to. */
  jkt: Jkt.optional(),
})
export type AuthorizationRequest = z.infer<typeof AuthorizationRequest>

/** A request that was pushed, or that waits for a person. It is decided once. */
export const PendingAuthorization = z.strictObject({
  /** Digest of the reference that the client or the form has. */
  id: z.string().length(43),
  clientId: ConsentClientId,
  orgId: OrgId.optional(),
  /** Identities and versions of the client. The request is void once one has ended. */
  dependsOn: z.array(Handle).max(64),
  isPushed: z.boolean(),
  request: AuthorizationRequest,
  /** When a browser first came with the request. From then on the person has time to decide. */
  shownAt: z.int().optional(),
  /** The request of a device: the id of its user code. */
  deviceId: z.string().length(43).optional(),
  /** The person who decided it, or who typed the user code. */
  memberId: MemberId.optional(),
  decidedAt: z.int().optional(),
  expiresAt: z.int(),
})
export type PendingAuthorization = z.infer<typeof PendingAuthorization>

export type AuthorizationsStore = Collection<PendingAuthorization>

export const PENDING_AUTHORIZATIONS: OwnedSpec<PendingAuthorization> = {
  name: 'pending-authorizations',
  schema: PendingAuthorization,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['orgId', 'memberId'],
}

export const authorizationsStore = ({ storage }: { readonly storage: Storage }): AuthorizationsStore =>
  storage.collection(PENDING_AUTHORIZATIONS)
