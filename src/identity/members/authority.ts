import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import type { Random } from '../../lib/random.js'
import type { MemberId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Member, MembersStore } from './store.js'

/** Dependencies of the operations on existing members. */
export interface ManageMemberDeps {
  readonly members: MembersStore
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
}

/** Returns the member to itself, to the administrators of its organisation and to operators. Every other caller gets `not_found`. */
export async function requireMember(deps: ManageMemberDeps, caller: Caller, id: MemberId): Promise<Member> {
  const member = await deps.members.get(id)
  return member && (member.id === caller.id || mayOversee(caller, member.orgId)) ? member : refuse('not_found', 'no such member')
}
