import { refuse } from '../errors.js'
import { distinct, type Handle } from '../protocol/handles.js'
import { VERSION_HORIZON_SECONDS } from '../protocol/log/ended-set.js'
import type { Dependencies } from '../protocol/standing.js'

/** An ended token or version is forgotten after an hour. A key of the registry is retired while long-lived records go on. */
const SHORT_LIVED = /^(?:tok|ver|rk):/

/**
 * The handles that a new record stores as its dependencies. Refuses a record that expires after one of them may be forgotten: the record would
 * stand again although the handle had ended. `expiresAt` is in epoch seconds, Infinity for a record that does not expire.
 */
export function dependenciesToStore(
  { handles, expiresAt: earliest }: Dependencies,
  record: { readonly now: number; readonly expiresAt: number },
): Handle[] {
  const outlivesTokens = record.expiresAt > record.now + VERSION_HORIZON_SECONDS
  if (record.expiresAt > earliest || (outlivesTokens && handles.some((handle) => SHORT_LIVED.test(handle))))
    refuse('conflict', 'the record would expire after something that it depends on; request an earlier expiry')
  return distinct(handles)
}
