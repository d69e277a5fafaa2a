import type { Audit } from '../../audit/audit.js'
import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import type { PairwiseIds } from '../../identity/people/pairwise.js'
import type { Random } from '../../lib/random.js'
import type { ConsentId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { UsesStore } from '../uses/store.js'
import type { FindConsentDeps } from './find.js'
import type { Consent } from './store.js'

export interface ConsentDeps extends FindConsentDeps {
  readonly trustLog: TrustLog
  readonly random: Random
  readonly audit: Audit
  readonly uses: UsesStore
  readonly pairwiseIds: PairwiseIds
  /** Endings of the refresh families that have no consent left once these have ended. */
  readonly endingsOfFamilies: (ended: readonly ConsentId[]) => Promise<readonly Ending[]>
}

/** True for the person and administrators of its organisation. The client's side sees the pairwise id only. */
export const seesPerson = (caller: Caller, { memberId, orgId }: Pick<Consent, 'memberId' | 'orgId'>): boolean =>
  caller.id === memberId || mayOversee(caller, orgId)

/** True for the person and administrators of both sides: they see and revoke the consent. */
export const isConcerned = (caller: Caller, consent: Pick<Consent, 'memberId' | 'orgId' | 'clientOrg'>): boolean =>
  seesPerson(caller, consent) || (consent.clientOrg !== undefined && mayOversee(caller, consent.clientOrg))

/** Returns the consent to those whom it concerns. Other callers get the same refusal as for an unknown id. */
export async function requireConsent({ consents }: Pick<ConsentDeps, 'consents'>, caller: Caller, id: ConsentId): Promise<Consent> {
  const consent = await consents.get(id)
  return consent && isConcerned(caller, consent) ? consent : refuse('not_found', 'no such consent')
}
