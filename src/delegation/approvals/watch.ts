import { tracked } from '@trpc/server'
import type { Caller } from '../../http/caller.js'
import { AgentId } from '../../protocol/ids.js'
import { newestPosition, type ReadInboxDeps, watchInbox } from '../inbox/read.js'
import type { Recipient } from '../inbox/store.js'

/** The inbox of an agent, or that of a member's organisation. */
const inboxOf = ({ id, orgId }: Caller): Recipient => AgentId.safeParse(id).data ?? orgId

/** Position of the newest notification of the caller; 0 if there is none. */
export const newestOfInbox = (deps: ReadInboxDeps, caller: Caller): Promise<number> => newestPosition(deps, inboxOf(caller))

/** Streams the notifications about approvals and introductions after position `after`, each tracked by its position, so that a client that reconnects resumes there. */
export async function* watchApprovals(deps: ReadInboxDeps, caller: Caller, after: number, signal: AbortSignal) {
  for await (const { id: _, agentId: __, expiresAt: ___, ...notification } of watchInbox(deps, inboxOf(caller), after, signal))
    yield tracked(String(notification.position), notification)
}
