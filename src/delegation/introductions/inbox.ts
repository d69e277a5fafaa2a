import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { AgentId } from '../../protocol/ids.js'
import { type ReadInboxDeps, readInbox } from '../inbox/read.js'
import type { InboxNotification } from '../inbox/store.js'

/** A notification as its recipient reads it. */
type NotificationView = Omit<InboxNotification, 'id' | 'agentId' | 'expiresAt'>

/** Reads the caller's notifications after position `after`. The next page begins after `lastPosition`. */
export async function readIntroductionsInbox(
  deps: ReadInboxDeps,
  caller: Caller,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<{ readonly items: readonly NotificationView[]; readonly lastPosition: number }> {
  const items = await readInbox(deps, requireInbox(caller), after, limit)
  return { items: items.map(notificationViewOf), lastPosition: items.at(-1)?.position ?? after }
}

/** Only agents have an inbox. */
export function requireInbox(caller: Caller): AgentId {
  const parsed = AgentId.safeParse(caller.id)
  return parsed.success ? parsed.data : refuse('forbidden', 'only agents have an inbox; members call introductions.list')
}

export const notificationViewOf = ({ id, agentId, expiresAt, ...view }: InboxNotification): NotificationView => view
