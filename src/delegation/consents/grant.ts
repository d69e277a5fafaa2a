import type { Random } from '../../lib/random.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import { type Audience, type MemberId, newId, type OrgId } from '../../protocol/ids.js'
import { type Bounds, coveredBySome, coversRight } from '../../protocol/rights.js'
import { type Dependencies, joinDependencies } from '../../protocol/standing.js'
import type { Operation } from '../../storage/storage.js'
import { dependenciesToStore } from '../../trust-log/horizon-rule.js'
import type { TaskDependencies } from '../tasks/task-dependencies.js'
import { type FindConsentDeps, findConsent, grantedOf, slotOf, stateOf } from './find.js'
import { type Consent, type ConsentClientId, type GrantedConsent, RETENTION_SECONDS } from './store.js'

interface GrantDeps extends FindConsentDeps {
  readonly random: Random
}

/** The decision of a person, without its rights. */
export interface ConsentDecision {
  readonly person: {
    readonly memberId: MemberId
    readonly orgId: OrgId
    readonly identities: Dependencies
    readonly grantedBy: readonly Handle[]
  }
  readonly client: { readonly id: ConsentClientId; readonly orgId?: OrgId | undefined; readonly identities: Dependencies }
  readonly task?: TaskDependencies | undefined
  readonly now: number
  readonly expiresAt: number
}

/** A consent that the decision needs, and the operations that create it unless there is one already that covers it. */
interface PreparedConsent {
  readonly consent: GrantedConsent
  readonly operations: readonly Operation[]
  /** An earlier consent, which the new one replaces: the commit must end it. */
  readonly replaced?: Consent | undefined
}

/** Prepares the one consent of the person, the client and the audience. A consent that allows less is replaced by a new one. */
export async function prepareConsent(
  deps: GrantDeps,
  { person, client, task, now, expiresAt }: ConsentDecision,
  audience: Audience,
  bounds: Bounds,
): Promise<PreparedConsent> {
  const consented = { memberId: person.memberId, clientId: client.id, audience }
  const known = await findConsent(deps, consented)
  if (known && covers(known, { bounds, taskId: task?.id, expiresAt })) return { consent: known, operations: [] }
  const dependencies = joinDependencies(person.identities, client.identities, ...(task ? [task.dependencies] : []))
  const consent: Consent = {
    id: newId(deps.random, 'cns'),
    memberId: person.memberId,
    orgId: person.orgId,
    clientId: client.id,
    ...(client.orgId && { clientOrg: client.orgId }),
    audience,
    bounds,
    ...(task && { taskId: task.id }),
    handle: newHandle(deps.random, 'cns'),
    ver: newHandle(deps.random, 'ver'),
    dependsOn: dependenciesToStore(withoutVersions(dependencies), { now, expiresAt }),
    grantedBy: [...person.grantedBy],
    createdAt: now,
    expiresAt,
    purgeAt: expiresAt + RETENTION_SECONDS,
  }
  const id = slotOf(consented)
  const fields = { consentId: consent.id, expiresAt }
  const slot = await deps.consents.slots.get(id)
  const before = slot && (await deps.consents.get(slot.consentId))
  const replaced = before && stateOf(deps, before, now) === 'valid' ? before : undefined
  return {
    consent: grantedOf(consent),
    operations: [
      deps.consents.inserting(consent),
      slot
        ? deps.consents.slots.changing(id, { consentId: slot.consentId }, fields)
        : deps.consents.slots.inserting({ id, memberId: person.memberId, ...fields }),
      ...(replaced ? [deps.consents.changing(replaced.id, { ver: replaced.ver }, { revokedAt: now })] : []),
    ],
    replaced,
  }
}

/** A consent outlives versions, so it depends on identities only. */
const withoutVersions = ({ handles, expiresAt }: Dependencies): Dependencies => ({
  handles: handles.filter((handle) => !handle.startsWith('ver:')),
  expiresAt,
})

type Covered = Pick<Consent, 'bounds' | 'taskId' | 'expiresAt'>

/** True if everything that `narrow` allows is allowed by the consent, for at least as long. */
export const covers = (
  { bounds: wide, taskId, dependencies }: GrantedConsent,
  { bounds, ...narrow }: Partial<Covered> & Pick<Covered, 'bounds'>,
): boolean =>
  coversBounds(wide, bounds) && (taskId === undefined || taskId === narrow.taskId) && (narrow.expiresAt ?? 0) <= dependencies.expiresAt

/** True if everything within `narrow` is within `wide`. */
export function coversBounds(wide: Bounds, narrow: Bounds): boolean {
  const areWithin = (names: readonly string[] | undefined, allowed: readonly string[] | undefined) =>
    allowed === undefined || (names?.every((name) => coveredBySome(allowed, name)) ?? false)
  const { delegation } = narrow
  return (
    narrow.scopes.every((scope) => coveredBySome(wide.scopes, scope)) &&
    areWithin(narrow.tools, wide.tools) &&
    areWithin(narrow.resources, wide.resources) &&
    (delegation === undefined ||
      (delegation.depth <= (wide.delegation?.depth ?? 0) &&
        delegation.rights.every((right) => coversRight(wide.delegation?.rights ?? [], right))))
  )
}
