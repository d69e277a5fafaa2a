import { tracked } from '@trpc/server'
import type { Caller } from '../../http/caller.js'
import { type ReadInboxDeps, watchInbox } from '../inbox/read.js'
import { introductionNotification, requireInbox } from './inbox.js'

/** Streams the caller's notifications after position `after`. Each is tracked by its position, so a client that reconnects resumes there. */
export async function* watchIntroductions(deps: ReadInboxDeps, caller: Caller, after: number, signal: AbortSignal) {
  for await (const notification of watchInbox(deps, requireInbox(caller), after, signal))
    for (const view of introductionNotification(notification)) yield tracked(String(notification.position), view)
}
