import { refuse } from '../errors.js'
import { REVOCATION_INPUT, type RevocationReason } from '../protocol/end-reason.js'
import { type OptionNames, requireOptions } from '../protocol/options.js'
import type { Delegation, Right } from '../protocol/rights.js'
import type { Calls } from './call.js'
import { type Ended, PAGE_OPTIONS, type PageOptions } from './tasks.js'

/** A permission of a person for a client. Times are in epoch seconds. */
export interface Consent extends Ended {
  readonly consentId: string
  readonly state: 'valid' | 'revoked' | 'expired'
  /** For the person and administrators of its organisation. */
  readonly memberId?: string
  /** The person as the client knows it. */
  readonly personId: string
  readonly client: string
  readonly audience: string
  readonly rights: readonly Right[]
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  readonly delegation?: Delegation
  readonly taskId?: string
  readonly grantedAt: number
  readonly until: number
  readonly uses: number
  readonly lastUsedAt?: number
}

interface ConsentQuery extends PageOptions {
  readonly memberId?: string
  readonly client?: string
  readonly audience?: string
  /** Epoch seconds: only consents that were used at this time or later. */
  readonly usedSince?: number
}
const QUERY_OPTIONS: OptionNames<ConsentQuery> = { ...PAGE_OPTIONS, memberId: true, client: true, audience: true, usedSince: true }

/** What stays of a consent or of a granted introduction. An absent field leaves that bound as it is. */
export interface GrantNarrowing {
  readonly scopes?: readonly string[]
  readonly tools?: readonly string[]
  readonly resources?: readonly string[]
  /** Null: what was granted may not be passed on. */
  readonly delegation?: Delegation | null
  /** An earlier end, in epoch seconds. */
  readonly until?: number
}
const GRANT_NARROWING: OptionNames<GrantNarrowing> = { scopes: true, tools: true, resources: true, delegation: true, until: true }

/** Refuses unknown bounds, and a narrowing without a bound: it would succeed and leave everything that was granted. */
export function requireNarrowing(where: string, to: GrantNarrowing): void {
  requireOptions(where, to, GRANT_NARROWING)
  if (!Object.values(to).some((bound) => bound !== undefined))
    refuse('bad_input', `${where}: nothing to narrow: give at least one of ${Object.keys(GRANT_NARROWING).join(', ')}`)
}

/** For people and administrators. */
export interface Consents {
  /** Those of this person, of another one (administrators), or to a client of the own organisation (administrators), newest first. */
  list(query?: ConsentQuery): Promise<{ readonly items: readonly Consent[]; readonly cursor?: string }>
  get(consentId: string): Promise<Consent>
  /** Tokens that were issued under the consent end; the client may get narrower ones. */
  narrow(consentId: string, to: GrantNarrowing): Promise<Consent>
  revoke(consentId: string, because?: Partial<RevocationReason>): Promise<{ position: string }>
}

export const newConsents = ({ query, mutate }: Calls): Consents => ({
  list: async (options = {}) => {
    requireOptions('consents.list', options, QUERY_OPTIONS)
    return query('consents.list', options)
  },
  get: (consentId) => query('consents.get', { consentId }),
  narrow: async (consentId, to) => {
    requireNarrowing('consents.narrow', to)
    return mutate('consents.narrow', { consentId, ...to })
  },
  revoke: async (consentId, because = {}) => {
    requireOptions('consents.revoke', because, REVOCATION_INPUT)
    return mutate('consents.revoke', { consentId, ...because })
  },
})
