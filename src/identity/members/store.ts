import { z } from 'zod'
import type { Random } from '../../lib/random.js'
import { Handle } from '../../protocol/handles.js'
import { ClientId, EntryId, MemberId, OrgId } from '../../protocol/ids.js'
import type { Collection, Storage } from '../../storage/storage.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { RegisteredKey, type RegisteredKeysStore } from '../keys/store.js'

export const MemberRole = z.enum(['operator', 'administrator', 'member'])
export type MemberRole = z.infer<typeof MemberRole>

export const Member = z.strictObject({
  id: MemberId,
  orgId: OrgId,
  name: z.string().min(1).max(128),
  role: MemberRole,
  /** `mem:` and the `ver:` of the role. */
  handle: Handle,
  ver: Handle,
  grantedBy: z.array(Handle).max(16),
  at: z.int().min(0),
  /** The first key, which becomes a registered key in the commit that reveals the member. */
  firstKey: RegisteredKey.optional(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Member = z.infer<typeof Member>

/** An invitation to an organisation: its code is redeemed once. */
export const Invitation = z.strictObject({
  id: z.string().regex(/^inv_[A-Za-z0-9_-]{22}$/),
  orgId: OrgId,
  role: MemberRole,
  codeHash: z.string().length(43),
  grantedBy: z.array(Handle).max(16),
  /** Who invited: whether they still may is asked when the code is redeemed. Absent of the first code. */
  giver: ClientId.optional(),
  /** Identities of who invited: it is void when one of them ends. */
  dependsOn: z.array(Handle).max(64),
  expiresAt: z.int(),
})
export type Invitation = z.infer<typeof Invitation>

export interface MembersStore extends Records<Member> {
  readonly invitations: Collection<Invitation>
}

export function membersStore(deps: {
  storage: Storage
  trustLog: TrustLog
  random: Random
  registeredKeys: RegisteredKeysStore
}): MembersStore {
  const records = newRecords(
    deps,
    deps.storage.collection<Member>({
      name: 'members',
      schema: Member,
      key: 'id',
      indexes: { organisation: { fields: ['orgId', 'at'] }, role: { fields: ['role', 'at'] }, grantedBy: { fields: ['grantedBy', 'at'] } },
    }),
    {
      kind: 'members',
      versions: (member) => [member.ver],
      // The member and its first key begin in one entry and are revealed in one commit: there is no member without a key.
      revealing: ({ firstKey }) => (firstKey === undefined ? [] : [deps.registeredKeys.collection.inserting(firstKey)]),
      settled: { firstKey: undefined },
    },
  )
  const invitations = deps.storage.collection<Invitation>({
    name: 'invitations',
    schema: Invitation,
    key: 'id',
    indexes: { role: { fields: ['role', 'expiresAt'] } },
    expires: 'expiresAt',
  })
  return { ...records, invitations }
}
