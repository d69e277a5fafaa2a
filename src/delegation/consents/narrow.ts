import { auditDraft } from '../../audit/audit-draft.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import { newHandle } from '../../protocol/handles.js'
import type { ConsentId } from '../../protocol/ids.js'
import { areSameBounds, type Narrowing, narrowBounds } from '../introductions/decide/narrow.js'
import { type ConsentDeps, requireConsent } from './authority.js'
import { stateOf } from './find.js'
import type { Consent } from './store.js'
import { type ConsentView, viewOf } from './view.js'

/** Absent fields stay as they are; `delegation: null` allows no passing on. */
interface ConsentNarrowing extends Omit<Narrowing, 'seconds'> {
  /** Epoch seconds. */
  readonly until?: number | undefined
}

/** Narrows a consent. Only the person may do that. It revokes the tokens that were issued under it; refresh families issue narrower ones. */
export async function narrowConsent(deps: ConsentDeps, caller: Caller, id: ConsentId, narrowing: ConsentNarrowing): Promise<ConsentView> {
  const { now } = caller.barrier
  const consent = await requireConsent(deps, caller, id)
  if (caller.id !== consent.memberId) refuse('forbidden', 'only the person who consented can narrow the consent; you can revoke it')
  if (stateOf(deps, consent, now) !== 'valid') refuse('already_revoked', 'the consent was revoked, or has expired')
  const { until, ...names } = narrowing
  const expiresAt = Math.min(consent.expiresAt, until ?? consent.expiresAt)
  if (expiresAt <= now)
    refuse('bad_input', 'the new end is in the past', {
      faults: [{ pointer: '/until', hint: 'must be in the future; to end the consent, revoke it' }],
    })
  const bounds = narrowBounds(consent.bounds, names, consent.bounds.scopes)
  if (expiresAt === consent.expiresAt && areSameBounds(bounds, consent.bounds))
    return viewOf(deps, caller, consent, now, deps.audit.history(caller))
  const fields: Pick<Consent, 'bounds' | 'ver' | 'expiresAt'> = {
    bounds,
    ver: newHandle(deps.random, 'ver'),
    expiresAt,
  }
  const ends = [{ handle: consent.ver }]
  const draft = auditDraft(caller, 'consents.narrow', { subject: id, facts: factsOf(fields) })
  const { outcome } = await deps.trustLog.commit({
    type: 'record.changed',
    ends,
    dependsOn: [consent.handle, consent.ver, ...consent.dependsOn, ...caller.dependencies.handles],
    operations: [
      deps.consents.changing(id, { ver: consent.ver }, fields),
      ...deps.audit.recordingEnd(draft, { ends, reason: 'superseded' }),
    ],
  })
  return outcome === 'committed'
    ? viewOf(deps, caller, { ...consent, ...fields }, now, deps.audit.history(caller))
    : refuse('conflict', 'the consent was changed or revoked concurrently; read it and try again')
}

const factsOf = ({ bounds, expiresAt }: Pick<Consent, 'bounds' | 'expiresAt'>) => ({
  scope: bounds.scopes.join(' ').slice(0, 512),
  until: expiresAt,
})
