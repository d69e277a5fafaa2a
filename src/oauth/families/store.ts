import { z } from 'zod'
import { ConsentClientId } from '../../delegation/consents/store.js'
import { Handle } from '../../protocol/handles.js'
import { Audience, ConsentId, FamilyId, Jkt, MemberId, OrgId, TaskId } from '../../protocol/ids.js'
import { Bounds } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

/** The rights at one audience that a person allowed with this authorization. The consent may allow more, and bounds it as it is at each use. A later consent does not replace it. */
const FamilyGrant = z.strictObject({ audience: Audience, consentId: ConsentId, bounds: Bounds })
export type FamilyGrant = z.infer<typeof FamilyGrant>

const Digest = z.string().length(43)

/** The last use of a secret. It distinguishes a retry from a theft. */
const LastUse = z.strictObject({
  secret: Digest,
  usedAt: z.int(),
  /** The request. It may decide twice (`afterBarrier`). */
  attempt: z.string().length(22),
  /** Digest of its `Idempotency-Key`. */
  retryKey: Digest.optional(),
  jkt: Jkt.optional(),
  /** The refresh token of the response, encrypted under a key that only the holder of the used secret can derive. */
  sealed: z.string().max(256).optional(),
})

/**
 * A family begins with an authorization code or a device code. Redeemed, the code gives tokens and, with `offline_access`, the first of its refresh tokens. There is one
 * secret at a time, the code or the newest refresh token: `<id>.<43 random characters>`. Only its digest is stored.
 */
export const Family = z.strictObject({
  id: FamilyId,
  /** Handle of kind `fam:`. Every token of the family depends on it. */
  handle: Handle,
  memberId: MemberId,
  orgId: OrgId,
  clientId: ConsentClientId,
  /** The organisation of the client. An external client may have none. */
  clientOrg: OrgId.optional(),
  /** Versions of the client when the person decided. The code is void once one has ended. */
  clientVersions: z.array(Handle).max(16),
  grants: z.array(FamilyGrant).min(1).max(8),
  /** The consents of the grants, for an index. Absent without refresh tokens: a code is of no use without its consents. */
  consentIds: z.array(ConsentId).max(8).optional(),
  taskId: TaskId.optional(),
  /** When the person signed in. */
  authAt: z.int(),
  /** Absent for a device, like `challenge`. */
  redirectUri: z.string().max(2048).optional(),
  /** PKCE, always S256. */
  challenge: Digest.optional(),
  /** The key that the code, and later the refresh tokens, are bound to. */
  jkt: Jkt.optional(),
  isOffline: z.boolean(),
  dependsOn: z.array(Handle).max(128),
  /** Handles by which the person was signed in. If one of them is revoked, with the consents of the sign-in or as compromised, the family ends too. */
  grantedBy: z.array(Handle).max(16).optional(),
  /** The number of secrets that were used: 0 until the code was redeemed. Guards every use. */
  uses: z.int().min(0),
  secret: Digest.optional(),
  code: Digest,
  codeExpiresAt: z.int(),
  lastUse: LastUse.optional(),
  createdAt: z.int(),
  expiresAt: z.int(),
  purgeAt: z.int(),
})
export type Family = z.infer<typeof Family>

export type FamiliesStore = Collection<Family>

export const CODE_SECONDS = 60
/** The family of a person lives no longer than this. */
export const FAMILY_SECONDS = 30 * 86_400

export const FAMILIES: OwnedSpec<Family> = {
  name: 'refresh-families',
  schema: Family,
  key: 'id',
  indexes: {
    member: { fields: ['memberId', 'createdAt'] },
    client: { fields: ['clientId', 'createdAt'] },
    consent: { fields: ['consentIds', 'createdAt'] },
    grantedBy: { fields: ['grantedBy', 'createdAt'] },
  },
  expires: 'purgeAt',
  ownedBy: ['orgId', 'clientOrg'],
}

export const familiesStore = ({ storage }: { readonly storage: Storage }): FamiliesStore => storage.collection(FAMILIES)
