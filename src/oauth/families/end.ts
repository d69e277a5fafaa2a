import { type FindConsentDeps, stateOf } from '../../delegation/consents/find.js'
import type { Handle } from '../../protocol/handles.js'
import type { ConsentId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import type { Cursor } from '../../storage/storage.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import { endingOfExpiring, standingEndings } from '../../trust-log/standing-endings.js'
import { FAMILY_SECONDS, type FamiliesStore, type Family } from './store.js'

interface EndFamiliesDeps extends FindConsentDeps {
  readonly families: FamiliesStore
}

/** Limit on the families of refresh tokens that stand under one consent. */
const MAX_FAMILIES = 50

/**
 * Endings of the families that have no consent left once these consents have ended, for the commit that ends the consents. A family with one consent needs
 * none, because it depends on that consent. Neither does one without refresh tokens, nor one that is created after this list: each use requires the consent,
 * and so does each token.
 */
export async function endingsOfFamilies(deps: EndFamiliesDeps, ended: readonly ConsentId[]): Promise<readonly Ending[]> {
  const families = (await Promise.all(ended.map((id) => standingUnder(deps, id)))).flat().filter(({ grants }) => grants.length > 1)
  const withoutConsent = await Promise.all(
    families.map(async (family) => ((await hasConsent(deps, family, ended)) ? [] : [endingOfExpiring(family)])),
  )
  return [...new Map(withoutConsent.flat().map((ending) => [ending.handle, ending])).values()]
}

/** Endings of the standing families that people created in sessions that `granter` opened. */
export const endingsOfFamiliesBy = ({ families, trustLog }: EndFamiliesDeps, granter: Handle): Promise<readonly Ending[]> =>
  standingEndings(trustLog, families, 'grantedBy', { grantedBy: granter })

/** Endings of the families that were created in sessions that `granter` opened, at or after `since` (epoch seconds). */
export const endingsOfFamiliesSince = (
  { families }: Pick<EndFamiliesDeps, 'families'>,
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(families, { grantedBy: granter, since, createdAt: ({ createdAt }) => createdAt, ending: endingOfExpiring })

/**
 * Endings of the oldest families under each of these consents, for the commit that begins another one there: no more than MAX_FAMILIES stand. Commits at
 * once that end the same family conflict.
 */
export async function endingsOfOldest(deps: EndFamiliesDeps, consentIds: readonly ConsentId[]): Promise<readonly Ending[]> {
  const standing = await Promise.all(consentIds.map((id) => standingUnder(deps, id, MAX_FAMILIES)))
  return standing.flatMap((families) => families.slice(MAX_FAMILIES - 1)).map(endingOfExpiring)
}

/** The families of refresh tokens under a consent that are not over, newest first: all, or at least as many as are `enough`. */
async function standingUnder(
  { families, trustLog }: EndFamiliesDeps,
  consentIds: ConsentId,
  enough = Infinity,
): Promise<readonly Family[]> {
  const now = trustLog.now()
  const found: Family[] = []
  for (let after: Cursor | undefined; ; ) {
    const page = await families.find('consent', { where: { consentIds }, order: 'down', limit: 100, ...(after && { after }) })
    found.push(...page.items.filter(({ handle, expiresAt }) => expiresAt > now && !trustLog.ended.has(handle)))
    const oldest = page.items.at(-1)
    const isLast = page.next === undefined || oldest === undefined || oldest.createdAt + FAMILY_SECONDS < now
    if (isLast || found.length >= enough) return found
    after = page.next
  }
}

/** True if a consent of the family is valid, apart from those that end now. */
export async function hasConsent(deps: FindConsentDeps, { grants }: Family, ended: readonly ConsentId[] = []): Promise<boolean> {
  const now = deps.trustLog.now()
  const others = grants.filter(({ consentId }) => !ended.includes(consentId))
  const consents = await Promise.all(others.map(({ consentId }) => deps.consents.get(consentId)))
  return consents.some((consent) => consent !== undefined && stateOf(deps, consent, now) === 'valid')
}
