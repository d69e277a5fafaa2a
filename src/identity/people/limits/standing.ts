// The passkeys and accounts of a person, and the issuers of an organisation, that stand. Rows that ended are kept for ever and must hide no other:
// so the rows are read to the last page.
import type { Handle } from '../../../protocol/handles.js'
import type { MemberId, OrgId } from '../../../protocol/ids.js'
import type { Collection, Cursor, Doc, Query } from '../../../storage/storage.js'
import type { TrustLog } from '../../../trust-log/trust-log.js'
import type { Quota } from '../../limits/quota.js'
import type { ForeignIssuer, Link, Passkey, PeopleStore } from '../store.js'

export interface StandingDeps {
  readonly people: PeopleStore
  readonly trustLog: Pick<TrustLog, 'ended'>
}

const MAX_PASSKEYS = 20
const MAX_LINKS = 16
const MAX_ISSUERS = 32

/** The passkeys of a member that stand, oldest first. */
export const passkeysOf = (deps: StandingDeps, memberId: MemberId): Promise<readonly Passkey[]> =>
  standing(deps, deps.people.passkeys, 'member', { memberId })

/** The accounts of a member that have not been revoked, oldest first. */
export const linksOf = (deps: StandingDeps, memberId: MemberId): Promise<readonly Link[]> =>
  standing(deps, deps.people.links, 'member', { memberId })

/** The issuers of an organisation that stand, oldest first. */
export const issuersOf = (deps: StandingDeps, orgId: OrgId): Promise<readonly ForeignIssuer[]> =>
  standing(deps, deps.people.issuers, 'organisation', { orgId })

async function standing<D extends Doc & { readonly handle: Handle }>(
  { trustLog }: StandingDeps,
  collection: Collection<D>,
  index: string,
  where: Query<D>['where'],
): Promise<readonly D[]> {
  const found: D[] = []
  for (let after: Cursor | undefined; ; ) {
    const { items, next } = await collection.find(index, { where, limit: 100, ...(after && { after }) })
    found.push(...items.filter(({ handle }) => !trustLog.ended.has(handle)))
    if (next === undefined) return found
    after = next
  }
}

export const passkeysQuota = (deps: StandingDeps, { memberId, orgId }: Pick<Passkey, 'memberId' | 'orgId'>): Quota => ({
  id: `passkeys ${memberId}`,
  orgId,
  limit: MAX_PASSKEYS,
  refusalText: `a person has at most ${MAX_PASSKEYS} passkeys; remove one`,
  count: async () => (await passkeysOf(deps, memberId)).length,
})

export const linksQuota = (deps: StandingDeps, { memberId, orgId }: Pick<Link, 'memberId' | 'orgId'>): Quota => ({
  id: `links ${memberId}`,
  orgId,
  limit: MAX_LINKS,
  refusalText: `a person has at most ${MAX_LINKS} accounts at OpenID Providers; revoke one (credence link revoke)`,
  count: async () => (await linksOf(deps, memberId)).length,
})

export const issuersQuota = (deps: StandingDeps, orgId: OrgId): Quota => ({
  id: `issuers ${orgId}`,
  orgId,
  limit: MAX_ISSUERS,
  refusalText: `an organisation has at most ${MAX_ISSUERS} issuers; revoke one`,
  count: async () => (await issuersOf(deps, orgId)).length,
})
