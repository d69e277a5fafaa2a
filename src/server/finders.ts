import { type Consented, endingsOfConsentsSince, endingsOfPeople, findConsent } from '../delegation/consents/find.js'
import { endWithConsents } from '../delegation/consents/revoke.js'
import { entitlementOf, introducedTo } from '../delegation/introductions/decide/entitle.js'
import { notifyOfChanges, notifyOfRefusal } from '../delegation/introductions/decide/needs-approval.js'
import { findGranted, introductionsGrantedBy } from '../delegation/introductions/find.js'
import { findDecider, findOperated, findResource, resourcesGrantedBy } from '../delegation/resources/find.js'
import { findTask, tasksGrantedBy } from '../delegation/tasks/find.js'
import type { Caller } from '../http/caller.js'
import { requireCreationRate } from '../http/limits/rate-limit.js'
import { agentsGrantedBy, findIntroductionTarget } from '../identity/agents/find.js'
import { clientUriOf, orgOfOwner } from '../identity/agents/owner.js'
import type { Client } from '../identity/clients/client.js'
import { keysGrantedBy } from '../identity/keys/find.js'
import { membersGrantedBy } from '../identity/members/find.js'
import { organisationsGrantedBy } from '../identity/organisations/find.js'
import { signInsGrantedBy } from '../identity/people/granted.js'
import type { EndingOfPeople, People } from '../identity/people/people.js'
import { endingsOfFamilies, endingsOfFamiliesBy, endingsOfFamiliesSince } from '../oauth/families/end.js'
import type { Handle } from '../protocol/handles.js'
import {
  type AgentId,
  type ConsentId,
  type IntroductionId,
  isResourceId,
  type TargetId,
  type TaskId,
  type TokenId,
} from '../protocol/ids.js'
import type { KeyOwner } from '../protocol/key-statement.js'
import type { Ending } from '../protocol/log/entry.js'
import { cachedReliance, findReliance } from '../registry/cards/reliance/find.js'
import type { CardTier } from '../storage/storage.js'
import { newQuotas } from './quotas.js'

import type { Stores } from './stores.js'

/** Functions of one feature that another feature calls. */
export const newFinders = (stores: Stores) => ({
  ...newQuotas(stores),
  ...newIntroductionFinders(stores),
  findTarget: async (id: TargetId) => (isResourceId(id) ? (await findResource(stores, id))?.target : findIntroductionTarget(stores, id)),
  findResource: (uriOrId: string) => findResource(stores, uriOrId),
  requireCreation: async (creator: Pick<Client, 'kind' | 'id' | 'orgId'>) => {
    stores.requireRoom('creation')
    requireCreationRate(stores.rateLimits, creator, (await stores.limits.ofClient(creator)).creationsPerSecond)
  },
  findConsent: (consented: Consented) => findConsent(stores, consented),
  endWithConsents: (people: People, ending: EndingOfPeople) =>
    endWithConsents({ ...stores, endingsOf: (of) => endingsOfConsentsAndFamilies(stores, of) }, people, ending),
  endingsOfFamilies: (ended: readonly ConsentId[]) => endingsOfFamilies(stores, ended),
  findTask: (id: TaskId) => findTask(stores, id),
  findTokenRecord: (id: TokenId) => stores.tokens.get(id),
  orgOfOwner: (owner: KeyOwner) => orgOfOwner(stores, owner),
  clientUriOf: (owner: KeyOwner) => clientUriOf(stores, owner),
  grantedBy: async (handle: Handle, since: number) =>
    (
      await Promise.all([
        organisationsGrantedBy(stores, handle, since),
        membersGrantedBy(stores, handle, since),
        keysGrantedBy(stores, handle, since),
        signInsGrantedBy(stores, handle, since),
        agentsGrantedBy(stores, handle, since),
        tasksGrantedBy(stores, handle, since),
        introductionsGrantedBy(stores, handle, since),
        endingsOfConsentsSince(stores, handle, since),
        endingsOfFamiliesSince(stores, handle, since),
        resourcesGrantedBy(stores, handle, since),
      ])
    ).flat(),
})

/** A family depends on the membership, but not on how the person signed in. */
const endingsOfConsentsAndFamilies = async (stores: Stores, people: People): Promise<readonly Ending[]> => [
  ...(await endingsOfPeople(stores, people)),
  ...('grantedBy' in people ? await endingsOfFamiliesBy(stores, people.grantedBy) : []),
]

/** What introductions allow, by the current cards of their targets. */
function newIntroductionFinders(stores: Stores) {
  const finders = {
    findReliance: async (id: TargetId, tier?: CardTier) =>
      isResourceId(id) ? (await findResource(stores, id))?.offer : findReliance(stores, id, tier),
    cachedReliance: async (id: TargetId) => (isResourceId(id) ? (await findResource(stores, id))?.offer : cachedReliance(stores, id)),
    findDecider: (to: TargetId) => findDecider(stores, to),
  }
  const deps = { ...stores, ...finders }
  return {
    ...finders,
    findOperated: (id: AgentId) => findOperated(stores, id),
    findGranted: (from: AgentId, to: TargetId) => findGranted(stores, from, to),
    entitle: (caller: Pick<Caller, 'id'>, id: AgentId) => entitlementOf(deps, caller, id),
    introducedTo: (caller: Caller) => introducedTo(deps, caller),
    notifyOfChanges: (to: AgentId) => notifyOfChanges(deps, to),
    notifyOfRefusal: (affected: readonly { readonly id: IntroductionId }[]) => notifyOfRefusal(deps, affected),
  }
}
