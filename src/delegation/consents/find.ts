import { digestOfText } from '../../credentials/jose/digest.js'
import { countNewest, type Quota } from '../../identity/limits/quota.js'
import type { People } from '../../identity/people/people.js'
import type { Handle } from '../../protocol/handles.js'
import type { MemberId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import { endingOfExpiring, standingEndings } from '../../trust-log/standing-endings.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Consent, ConsentClientId, ConsentsStore, GrantedConsent } from './store.js'

export interface FindConsentDeps {
  readonly consents: ConsentsStore
  readonly trustLog: Pick<TrustLog, 'ended' | 'now'>
}

/** The subject of a consent: one client at one audience. */
export interface Consented {
  readonly memberId: MemberId
  readonly clientId: ConsentClientId
  readonly audience: string
}

export const slotOf = ({ memberId, clientId, audience }: Consented): string => digestOfText(`${memberId} ${clientId} ${audience}`)

/** Finds the consent of a person to a client for an audience, if it stands. Call after the read barrier. */
export async function findConsent(deps: FindConsentDeps, consented: Consented): Promise<GrantedConsent | undefined> {
  const slot = slotOf(consented)
  const granted = await deps.consents.granted.getOrRead(slot, async () => {
    const current = await deps.consents.slots.get(slot)
    const consent = current && (await deps.consents.get(current.consentId))
    if (!consent) return undefined
    const value = grantedOf(consent)
    return { value, dependsOn: value.handles }
  })
  return granted && granted.dependencies.expiresAt > deps.trustLog.now() && stands(deps.trustLog.ended, granted.handles)
    ? granted
    : undefined
}

export const grantedOf = ({ id, bounds, taskId, handle, ver, dependsOn, expiresAt }: Consent): GrantedConsent => ({
  id,
  bounds,
  taskId,
  dependencies: dependenciesOf([handle, ver], expiresAt),
  handles: [handle, ver, ...dependsOn],
})

type State = 'valid' | 'revoked' | 'expired'

/** An ending after the expiry does not count: by then the ended set may have forgotten what ended before. */
export function stateOf({ trustLog }: Pick<FindConsentDeps, 'trustLog'>, consent: Consent, now: number): State {
  if (consent.revokedAt !== undefined) return 'revoked'
  if (consent.expiresAt <= now) return 'expired'
  return stands(trustLog.ended, [consent.handle, ...consent.dependsOn]) ? 'valid' : 'revoked'
}

/** Maximum number of valid consents of a person. */
const MAX_CONSENTS = 500

export const consentsQuota = (
  { consents, trustLog }: FindConsentDeps,
  { memberId, orgId }: Pick<Consent, 'memberId' | 'orgId'>,
): Quota => ({
  id: `consents ${memberId}`,
  orgId,
  limit: MAX_CONSENTS,
  refusalText: `you have ${MAX_CONSENTS} consents, the maximum: revoke one`,
  count: (atMost) =>
    countNewest(
      (after) => consents.find('member', { where: { memberId }, order: 'down', limit: 100, ...(after && { after }) }),
      (consent) => stateOf({ trustLog }, consent, trustLog.now()) === 'valid',
      atMost,
    ),
})

/** Endings of all consents of these people that stand. */
export const endingsOfPeople = ({ consents, trustLog }: FindConsentDeps, people: People): Promise<readonly Ending[]> =>
  standingEndings(trustLog, consents, 'memberId' in people ? 'member' : 'orgId' in people ? 'organisation' : 'grantedBy', people)

/** Endings of the consents that were granted in sessions that `granter` opened, at or after `since` (epoch seconds). */
export const endingsOfConsentsSince = (
  { consents }: Pick<FindConsentDeps, 'consents'>,
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(consents, { grantedBy: granter, since, createdAt: ({ createdAt }) => createdAt, ending: endingOfExpiring })
