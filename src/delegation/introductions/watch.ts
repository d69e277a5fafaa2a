import { tracked } from '@trpc/server'
import type { Caller } from '../../http/caller.js'
import { type ReadInboxDeps, watchInbox } from '../inbox/read.js'
import { itemOf, requireInbox } from './inbox.js'

/** What the agent is told after position `after`, as it comes. Every value is tracked by its position, so a client resumes where it was. */
export async function* watchIntroductions(deps: ReadInboxDeps, caller: Caller, after: number, until: AbortSignal) {
  for await (const item of watchInbox(deps, requireInbox(caller), after, until)) yield tracked(String(item.seq), itemOf(item))
}
