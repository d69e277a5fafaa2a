import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { AgentId, Audience, ClientUri, ConsentId, ExternalClientId, MemberId, OrgId, TaskId } from '../../protocol/ids.js'
import { Bounds } from '../../protocol/rights.js'
import type { Dependencies } from '../../protocol/standing.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { type Cache, newCache } from '../../trust-log/cache.js'
import type { TrustLog } from '../../trust-log/trust-log.js'

/** A client that a person can consent to. */
export const ConsentClientId = z.union([AgentId, ExternalClientId, ClientUri])
export type ConsentClientId = z.infer<typeof ConsentClientId>

/** A person allows a client to act for it at one audience. */
export const Consent = z.strictObject({
  id: ConsentId,
  memberId: MemberId,
  /** The organisation of the person. */
  orgId: OrgId,
  clientId: ConsentClientId,
  /** The organisation of the client. An external client may have none. */
  clientOrg: OrgId.optional(),
  audience: Audience,
  bounds: Bounds,
  /** The client may act for this task and its child tasks only. */
  taskId: TaskId.optional(),
  /** Handle of kind `cns:`. */
  handle: Handle,
  /** Version of the bounds and the expiry, a handle of kind `ver:`. */
  ver: Handle,
  /** Identities of the person and the client, and the handles of the task. A token lists none of the person's. */
  dependsOn: z.array(Handle).max(128),
  /** Handles by which the person consented. If one is revoked as compromised, the consent is revoked too. */
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int().min(0),
  expiresAt: z.int(),
  revokedAt: z.int().optional(),
  /** Expired and revoked consents are kept for a while. */
  purgeAt: z.int(),
})
export type Consent = z.infer<typeof Consent>

/** The one consent of a person, a client and an audience. A commit that grants another replaces it. */
const ConsentSlot = z.strictObject({
  /** As `slotOf` makes it. */
  id: z.string().length(43),
  memberId: MemberId,
  consentId: ConsentId,
  expiresAt: z.int(),
})
type ConsentSlot = z.infer<typeof ConsentSlot>

/** A consent as decisions read it. */
export interface GrantedConsent {
  readonly id: ConsentId
  readonly bounds: Bounds
  readonly taskId?: TaskId | undefined
  /** The dependencies of a token: the consent and the version of its bounds. They expire with the consent. */
  readonly dependencies: Dependencies
  /** Everything that the consent depends on, with the person, whom no token names. */
  readonly handles: readonly Handle[]
}

export interface ConsentsStore extends Collection<Consent> {
  readonly slots: Collection<ConsentSlot>
  /** Consents by slot. */
  readonly granted: Cache<GrantedConsent>
}

/** Consents that have expired or were revoked can be read for this long. */
export const RETENTION_SECONDS = 30 * 86_400

export const CONSENTS: OwnedSpec<Consent> = {
  name: 'consents',
  schema: Consent,
  key: 'id',
  indexes: {
    member: { fields: ['memberId', 'createdAt'] },
    client: { fields: ['clientId', 'createdAt'] },
    organisation: { fields: ['orgId', 'expiresAt'] },
    grantedBy: { fields: ['grantedBy', 'createdAt'] },
  },
  expires: 'purgeAt',
  ownedBy: ['orgId', 'clientOrg'],
}

export const CONSENT_SLOTS: OwnedSpec<ConsentSlot> = {
  name: 'consent-slots',
  schema: ConsentSlot,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['memberId'],
}

export const consentsStore = ({ storage, trustLog }: { readonly storage: Storage; readonly trustLog: TrustLog }): ConsentsStore => ({
  ...storage.collection(CONSENTS),
  slots: storage.collection(CONSENT_SLOTS),
  granted: newCache(trustLog, ({ type }) => type === 'consent.granted' || type === 'introduction.granted'),
})
