import type { OrgId } from '../../protocol/ids.js'
import type { Resource } from './store.js'

type Ruled = Pick<Resource, 'orgId' | 'policy'>

/** A policy that lists organisations admits no external clients but those that one of them registered. */
export const admitsClientOf = ({ policy }: Ruled, clientOrg: OrgId | undefined): boolean =>
  policy.mode !== 'closed' && (policy.organisations === undefined || (clientOrg !== undefined && policy.organisations.includes(clientOrg)))

/** Whether an external client may act for people. */
export const letsInForPeople = (resource: Ruled, clientOrg: OrgId | undefined): boolean =>
  (resource.policy.externalClients === 'withPerson' || resource.policy.externalClients === 'any') && admitsClientOf(resource, clientOrg)

/** Whether a person of an organisation may let somebody act for it: one of the resource's organisation or of those that its policy lists, unless it admits all. */
export const admitsPersonOf = ({ orgId, policy }: Ruled, personOrg: OrgId): boolean =>
  policy.people === 'any' || personOrg === orgId || (policy.organisations?.includes(personOrg) ?? false)
