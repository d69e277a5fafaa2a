import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { AgentId } from '../../protocol/ids.js'
import { type ReadInboxDeps, readInbox } from '../inbox/read.js'
import type { InboxItem } from '../inbox/store.js'

/** What an agent is told, as it reads it. */
export type InboxView = Omit<InboxItem, 'id' | 'agentId' | 'expiresAt'>

/** What the agent was told after position `after`. */
export async function introductionsInbox(
  deps: ReadInboxDeps,
  caller: Caller,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<{ readonly items: readonly InboxView[]; readonly last: number }> {
  const items = await readInbox(deps, requireInbox(caller), after, limit)
  return { items: items.map(itemOf), last: items.at(-1)?.seq ?? after }
}

/** Whose inbox the caller reads: its own, where it is an agent. */
export function requireInbox(caller: Caller): AgentId {
  const parsed = AgentId.safeParse(caller.id)
  return parsed.success ? parsed.data : refuse('forbidden', 'agents have an inbox, people list introductions')
}

export const itemOf = ({ id, agentId, expiresAt, ...told }: InboxItem): InboxView => told
