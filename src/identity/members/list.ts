import type { FindHistory, HistoryView } from '../../audit/history.js'
import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../http/paging.js'
import type { Handle } from '../../protocol/handles.js'
import type { ClientId, MemberId, OrgId } from '../../protocol/ids.js'
import type { ManageMemberDeps } from './authority.js'
import type { Member, MemberRole } from './store.js'

/** A member in the responses of `members.list` and `members.get`. */
export interface MemberView extends Partial<HistoryView> {
  readonly memberId: MemberId
  readonly name: string
  readonly role: MemberRole
  readonly joinedAt: number
  /** The member whose invitation this member redeemed; absent for the first code of the registry. */
  readonly invitedBy?: ClientId | undefined
  readonly state: 'active' | 'revoked'
  readonly handles: readonly Handle[]
}

export interface MemberList {
  readonly items: readonly MemberView[]
  readonly cursor?: string
}

/** Lists the members of an organisation, newest first, for its administrators. */
export async function listMembers(
  { members, trustLog, audit }: ManageMemberDeps,
  caller: Caller,
  { orgId, ...paging }: PageInput & { readonly orgId: OrgId },
): Promise<MemberList> {
  if (!mayOversee(caller, orgId)) return refuse('not_found', 'no such organisation')
  const page = await members.find('organisation', { where: { orgId }, order: 'down', ...cursorOf(paging) })
  const findHistory = audit.history(caller)
  const items = await Promise.all(page.items.map((member) => viewOf({ trustLog }, member, findHistory)))
  return pageOf({ ...page, items }, (view) => view)
}

export async function viewOf(
  { trustLog }: Pick<ManageMemberDeps, 'trustLog'>,
  { id, name, role, createdAt, invitedBy, handle }: Member,
  findHistory: FindHistory,
): Promise<MemberView> {
  const ending = trustLog.ended.has(handle) ? await findHistory([handle]) : undefined
  const state = trustLog.ended.has(handle) ? 'revoked' : 'active'
  return { memberId: id, name, role, joinedAt: createdAt, invitedBy, state, handles: [handle], ...ending }
}
