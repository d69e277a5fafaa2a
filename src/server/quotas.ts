import { consentsQuota } from '../delegation/consents/find.js'
import type { Consent } from '../delegation/consents/store.js'
import { introductionQuotas } from '../delegation/introductions/find.js'
import type { Introduction } from '../delegation/introductions/store.js'
import { resourcesQuota } from '../delegation/resources/find.js'
import { countOpenTasks, tasksQuota } from '../delegation/tasks/find.js'
import type { Caller } from '../http/caller.js'
import { agentsQuota, countAgents } from '../identity/agents/find.js'
import { clientDocumentQuotas, externalClientsQuota } from '../identity/clients/self-registered.js'
import { levelsQuota } from '../identity/levels/find.js'
import type { LimitsInForce } from '../identity/limits/in-force.js'
import { type CountedCommit, commitWithinQuotas } from '../identity/limits/quota.js'
import { namespacesQuota } from '../identity/namespaces/find.js'
import { issuersQuota, linksQuota, passkeysQuota, type StandingDeps } from '../identity/people/limits/standing.js'
import type { Link, Passkey } from '../identity/people/store.js'
import type { ClientId, OrgId } from '../protocol/ids.js'

/** The stores whose rows are counted. */
type QuotaStores = Parameters<typeof commitWithinQuotas>[0] &
  Parameters<typeof agentsQuota>[0] &
  Parameters<typeof externalClientsQuota>[0] &
  Parameters<typeof clientDocumentQuotas>[0] &
  Parameters<typeof levelsQuota>[0] &
  Parameters<typeof namespacesQuota>[0] &
  Parameters<typeof resourcesQuota>[0] &
  Parameters<typeof tasksQuota>[0] &
  Parameters<typeof consentsQuota>[0] &
  StandingDeps &
  Parameters<typeof introductionQuotas>[0] & { readonly limits: LimitsInForce }

/** Counts of rows, and commits within the limits in force. */
export function newQuotas(stores: QuotaStores) {
  const { limits } = stores
  return {
    countAgents: (orgId: OrgId, atMost: number) => countAgents(stores, orgId, atMost),
    countOpenTasks: (owner: ClientId, atMost: number) => countOpenTasks(stores, owner, atMost),
    commitAgent: async (orgId: OrgId, commit: CountedCommit) =>
      commitWithinQuotas(stores, [agentsQuota(stores, orgId, await limits.ofOrganisation(orgId))], commit),
    commitExternalClient: async (orgId: OrgId, commit: CountedCommit) =>
      commitWithinQuotas(stores, [externalClientsQuota(stores, orgId)], commit),
    commitClientDocument: async (orgId: OrgId, commit: CountedCommit) =>
      commitWithinQuotas(stores, clientDocumentQuotas(stores, orgId), commit),
    commitLevel: async (orgId: OrgId, commit: CountedCommit) => commitWithinQuotas(stores, [levelsQuota(stores, orgId)], commit),
    commitClaim: async (orgId: OrgId, commit: CountedCommit) => commitWithinQuotas(stores, [namespacesQuota(stores, orgId)], commit),
    commitResource: async (orgId: OrgId, commit: CountedCommit) => commitWithinQuotas(stores, [resourcesQuota(stores, orgId)], commit),
    commitConsents: async (person: Pick<Consent, 'memberId' | 'orgId'>, commit: CountedCommit) =>
      commitWithinQuotas(stores, [consentsQuota(stores, person)], commit),
    commitPasskey: async (person: Pick<Passkey, 'memberId' | 'orgId'>, commit: CountedCommit) =>
      commitWithinQuotas(stores, [passkeysQuota(stores, person)], commit),
    commitLink: async (person: Pick<Link, 'memberId' | 'orgId'>, commit: CountedCommit) =>
      commitWithinQuotas(stores, [linksQuota(stores, person)], commit),
    commitIssuer: async (orgId: OrgId, commit: CountedCommit) => commitWithinQuotas(stores, [issuersQuota(stores, orgId)], commit),
    commitTask: async (caller: Pick<Caller, 'kind' | 'id' | 'orgId'>, commit: CountedCommit) =>
      commitWithinQuotas(stores, [tasksQuota(stores, caller, await limits.ofClient(caller))], commit),
    commitGrant: async (granted: Introduction, commit: CountedCommit) => {
      const [ofRequester, ofTarget] = await Promise.all([limits.ofOrganisation(granted.fromOrg), limits.ofOrganisation(granted.toOrg)])
      return commitWithinQuotas(stores, introductionQuotas(stores, granted, { ofRequester, ofTarget }), commit)
    },
  }
}
