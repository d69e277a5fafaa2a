import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { AgentId, type IntroductionId } from '../../protocol/ids.js'
import { type ReadInboxDeps, readInbox } from '../inbox/read.js'
import type { InboxNotification } from '../inbox/store.js'

/** A notification about an introduction, as its recipient reads it. */
type NotificationView = Omit<InboxNotification, 'id' | 'agentId' | 'expiresAt' | 'approvalId' | 'introductionId'> & {
  readonly introductionId: IntroductionId
}

/**
 * Reads the caller's notifications about introductions after position `after`. The next page begins after `lastPosition`. A page is empty only at the end
 * of the inbox, so notifications about approvals never hide one.
 */
export async function readIntroductionsInbox(
  deps: ReadInboxDeps,
  caller: Caller,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<{ readonly items: readonly NotificationView[]; readonly lastPosition: number }> {
  const agentId = requireInbox(caller)
  for (let lastPosition = after; ; ) {
    const page = await readInbox(deps, agentId, lastPosition, limit)
    const items = page.flatMap(introductionNotification)
    lastPosition = page.at(-1)?.position ?? lastPosition
    if (items.length > 0 || page.length < limit) return { items, lastPosition }
  }
}

/** Only agents have an inbox. */
export function requireInbox(caller: Caller): AgentId {
  const parsed = AgentId.safeParse(caller.id)
  return parsed.success
    ? parsed.data
    : refuse('forbidden', 'only agents have an inbox of introductions; members call introductions.list, or approvals.watch')
}

/** The notification as a list, which is empty if it is about something else than an introduction. */
export const introductionNotification = ({
  id,
  agentId,
  expiresAt,
  approvalId,
  introductionId,
  ...view
}: InboxNotification): NotificationView[] => (introductionId === undefined ? [] : [{ ...view, introductionId }])
