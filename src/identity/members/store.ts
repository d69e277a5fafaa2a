import { z } from 'zod'
import { Handle } from '../../protocol/handles.js'
import { ClientId, MemberId, OrgId } from '../../protocol/ids.js'
import type { Collection, OwnedSpec, Storage } from '../../storage/storage.js'

export const MemberRole = z.enum(['operator', 'administrator', 'member', 'person'])
export type MemberRole = z.infer<typeof MemberRole>

export const Member = z.strictObject({
  id: MemberId,
  orgId: OrgId,
  name: z.string().min(1).max(128),
  role: MemberRole,
  /** Handle of kind `mem:`. `ver` is the version of `role`. */
  handle: Handle,
  ver: Handle,
  grantedBy: z.array(Handle).max(16),
  createdAt: z.int().min(0),
  /** The client whose invitation the member redeemed; absent for the first code. */
  invitedBy: ClientId.optional(),
})
export type Member = z.infer<typeof Member>

/** An invitation to an organisation. Its code is redeemed once; only the digest of the code's secret is stored. */
export const Invitation = z.strictObject({
  id: z.string().regex(/^inv_[A-Za-z0-9_-]{22}$/),
  orgId: OrgId,
  role: MemberRole,
  codeHash: z.string().length(43),
  grantedBy: z.array(Handle).max(16),
  /** The client that issued the invitation. It must still be authorised when the code is redeemed. Absent in the first code. */
  inviter: ClientId.optional(),
  /** Identities of the inviter, the organisation and the epoch. The invitation is void as soon as one of these handles ends. */
  dependsOn: z.array(Handle).max(64),
  expiresAt: z.int(),
})
export type Invitation = z.infer<typeof Invitation>

export interface MembersStore extends Collection<Member> {
  readonly invitations: Collection<Invitation>
}

export const MEMBERS: OwnedSpec<Member> = {
  name: 'members',
  schema: Member,
  key: 'id',
  indexes: {
    organisation: { fields: ['orgId', 'createdAt'] },
    role: { fields: ['role', 'createdAt'] },
    grantedBy: { fields: ['grantedBy', 'createdAt'] },
  },
  ownedBy: ['orgId'],
}

export const INVITATIONS: OwnedSpec<Invitation> = {
  name: 'invitations',
  schema: Invitation,
  key: 'id',
  indexes: { role: { fields: ['role', 'expiresAt'] } },
  expires: 'expiresAt',
  ownedBy: ['orgId'],
}

export const membersStore = ({ storage }: { readonly storage: Storage }): MembersStore => ({
  ...storage.collection(MEMBERS),
  invitations: storage.collection(INVITATIONS),
})
