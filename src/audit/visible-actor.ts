import { type ActorId, MemberId, type OrgId } from '../protocol/ids.js'
import type { AuditRow } from './store.js'

/** The actor of a row; `member` in place of a member of another organisation. */
export type VisibleActor = ActorId | 'member'

/** Actions that only operators take for another organisation, which reads who it was. */
const OF_OPERATORS = /^(?:members|organisations|limits|audit)\./

/**
 * The actor as an organisation reads it. The first organisation of a row reads the actor: it is the actor's own, or an operator acted on what belongs
 * to it. The other one must not learn which member acted: a person who revokes a consent would be known beyond the pairwise id. `everyone`: for
 * operators.
 */
export const visibleActor = (
  { actor, action, orgIds }: Pick<AuditRow, 'actor' | 'action' | 'orgIds'>,
  reader: OrgId | 'everyone',
): VisibleActor =>
  reader === 'everyone' || orgIds[0] === reader || OF_OPERATORS.test(action) || !MemberId.safeParse(actor).success ? actor : 'member'
