import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { ClientId, OrgId } from '../../protocol/ids.js'
import { Ceiling } from '../../protocol/rights.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'
import { GrantType } from '../clients/metadata/metadata.js'

/** Setting `registration`. */
export const Registration = z.enum(['closed', 'token', 'open'])
export type Registration = z.infer<typeof Registration>

export const MAX_USES = 1000

/** A registration grant: its text is an initial access token (RFC 7591 §1.2), of which only the digest of the secret is stored. */
export const RegistrationGrant = z.strictObject({
  id: z.string().regex(/^reg_[A-Za-z0-9_-]{22}$/),
  orgId: OrgId,
  codeHash: z.string().length(43),
  /** The most that an agent registered with the grant may be given. */
  ceiling: Ceiling,
  grantTypes: z.array(GrantType).min(1).max(5),
  /** Hosts of redirect URIs. Absent: every host. */
  redirectHosts: z.array(z.string().max(253)).max(16).optional(),
  uses: z.int().min(1).max(MAX_USES),
  /** Decremented in the commit of each registration. */
  usesLeft: z.int().min(0).max(MAX_USES),
  /** The member that issued the grant. */
  issuer: ClientId,
  grantedBy: z.array(Handle).max(16),
  /** Identities of the issuer, the organisation and the epoch. The grant is void as soon as one of these handles ends. */
  dependsOn: z.array(Handle).max(64),
  createdAt: z.int(),
  expiresAt: z.int(),
})
export type RegistrationGrant = z.infer<typeof RegistrationGrant>

export type RegistrationGrantsStore = Collection<RegistrationGrant>

export const REGISTRATION_GRANTS: OwnedSpec<RegistrationGrant> = {
  name: 'registration-grants',
  schema: RegistrationGrant,
  key: 'id',
  indexes: { organisation: { fields: ['orgId', 'createdAt'] } },
  expires: 'expiresAt',
  ownedBy: ['orgId'],
}

export const registrationGrantsStore = ({ storage }: { readonly storage: Storage }): RegistrationGrantsStore =>
  storage.collection(REGISTRATION_GRANTS)
