import type { GrantedConsent } from '../../delegation/consents/store.js'
import type { PersonCaller } from '../../identity/people/session.js'
import type { Random } from '../../lib/random.js'
import { type Handle, identitiesOf, isVersion, newHandle } from '../../protocol/handles.js'
import { newId } from '../../protocol/ids.js'
import { type Dependencies, dependenciesOf, joinDependencies } from '../../protocol/standing.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import { newSecret } from '../families/secret.js'
import { CODE_SECONDS, FAMILY_SECONDS, type Family, type FamilyGrant } from '../families/store.js'
import type { Allowed, Asked } from './asked.js'

/** Without refresh tokens a family lasts as long as the last token of its code. */
const ONLINE_SECONDS = 3600

type GivenConsent = Pick<FamilyGrant, 'audience' | 'bounds'> & { readonly consent: GrantedConsent }

/** The family of a decision, and the text of its code; a device has its code already. */
export function newFamily(
  { random, trustLog }: { readonly random: Random; readonly trustLog: TrustLog },
  { client, person, pending, device, task, now }: Asked,
  consents: readonly GivenConsent[],
  { isOffline, until }: Pick<Allowed, 'isOffline' | 'until'>,
): { readonly family: Family; readonly code: string | undefined } {
  const { redirectUri, challenge, jkt } = pending.request
  const code = device
    ? { familyId: device.familyId, digest: device.code, text: undefined, seconds: device.expiresAt - now }
    : { ...newSecret(random, newId(random, 'fam')), seconds: CODE_SECONDS }
  const standing = joinDependencies(
    dependenciesOf([...identitiesOf(client.dependencies.handles), trustLog.epoch]),
    ofConsents(consents, person),
    ...(task ? [dependenciesOf(identitiesOf(task.dependencies.handles), task.dependencies.expiresAt)] : []),
  )
  // An earlier consent that covers the decision may last longer than the person has now chosen
  const expiresAt = Math.min(standing.expiresAt, until, now + (isOffline ? FAMILY_SECONDS : code.seconds + ONLINE_SECONDS))
  const family: Family = {
    id: code.familyId,
    handle: newHandle(random, 'fam'),
    memberId: person.id,
    orgId: person.orgId,
    clientId: client.id,
    ...(client.orgId && { clientOrg: client.orgId }),
    clientVersions: client.dependencies.handles.filter(isVersion),
    grants: consents.map(({ audience, bounds, consent }) => ({ audience, bounds, consentId: consent.id })),
    ...(isOffline && { consentIds: consents.map(({ consent }) => consent.id) }),
    ...(task && { taskId: task.id }),
    authAt: person.authAt,
    ...(redirectUri !== undefined && { redirectUri }),
    ...(challenge !== undefined && { challenge }),
    ...(jkt && { jkt }),
    isOffline,
    dependsOn: dependenciesToStore(standing, { now, expiresAt }),
    grantedBy: identitiesOf(person.identities),
    uses: 0,
    code: code.digest,
    codeExpiresAt: Math.min(now + code.seconds, expiresAt),
    createdAt: now,
    expiresAt,
    purgeAt: expiresAt + FAMILY_SECONDS,
  }
  return { family, code: code.text }
}

/** A family with one consent ends with that consent. A family with several ends with the membership; each use checks the consent of its audience. */
function ofConsents(consents: readonly GivenConsent[], person: PersonCaller): Dependencies {
  const expiresAt = Math.min(...consents.map(({ consent }) => consent.dependencies.expiresAt))
  const [only, ...others] = consents
  const handles: readonly Handle[] =
    only && others.length === 0
      ? identitiesOf(only.consent.dependencies.handles)
      : person.identities.filter((handle) => /^(?:mem|org):/.test(handle))
  return dependenciesOf(handles, expiresAt)
}
