import type { Caller } from '../../http/caller.js'
import type { MemberId, OrgId } from '../../protocol/ids.js'
import { type ManageMemberDeps, requireMember } from './authority.js'
import { type MemberView, viewOf } from './list.js'

/** Returns a member to itself, to the administrators of its organisation and to operators. */
export const getMember = (deps: ManageMemberDeps, caller: Caller, id: MemberId): Promise<MemberView & { readonly orgId: OrgId }> =>
  deps.trustLog.afterBarrier(caller.barrier, async () => {
    const member = await requireMember(deps, caller, id)
    return { ...(await viewOf(deps, member, deps.audit.history(caller))), orgId: member.orgId }
  })
