import type { Audit } from '../../../audit/audit.js'
import { auditDraft } from '../../../audit/audit-draft.js'
import { refuse } from '../../../errors.js'
import { type Caller, isAdminOf, maySee } from '../../../http/caller.js'
import type { OrgId } from '../../../protocol/ids.js'
import type { Scope } from '../../../protocol/rights.js'
import { stands } from '../../../protocol/standing.js'
import type { Storage } from '../../../storage/storage.js'
import type { TrustLog } from '../../../trust-log/trust-log.js'
import type { ExternalClient } from '../client.js'
import type { Clients } from '../clients.js'
import type { ClientUsesStore } from '../store.js'
import type { ClientRulesStore, ExternalClientsRule } from './store.js'

export interface FindRulesDeps {
  readonly clientRules: ClientRulesStore
  readonly dev: boolean
}

/** The rules of an organisation that are in force. */
interface ClientRules {
  readonly externalClients: ExternalClientsRule
  /** Scopes that an administrator must approve before a person can allow them. */
  readonly adminScopes: readonly Scope[]
}

export async function findRules({ clientRules, dev }: FindRulesDeps, orgId: OrgId): Promise<ClientRules> {
  const { externalClients = dev ? 'any' : 'admitted', adminScopes = [] } = (await clientRules.get(orgId)) ?? {}
  return { externalClients, adminScopes }
}

export interface AdmittedDeps {
  readonly clientUses: ClientUsesStore
  readonly clients: Pick<Clients, 'find'>
  readonly trustLog: Pick<TrustLog, 'ended'>
}

/** True if the organisation registered the client, allowed it, or admitted it as an agent that stands. That a resource gave it a token is no admission. */
export async function isAdmitted({ clientUses, clients, trustLog }: AdmittedDeps, client: ExternalClient, orgId: OrgId): Promise<boolean> {
  if (client.orgId === orgId) return true
  const use = await clientUses.get(`${orgId} ${client.id}`)
  if (use?.allowedAt !== undefined) return true
  const agent = use?.agentId && (await clients.find(use.agentId))
  return agent !== undefined && stands(trustLog.ended, agent.dependencies.handles)
}

export interface ClientRulesView extends ClientRules {
  readonly organisation: OrgId
}

export interface SetRulesDeps extends FindRulesDeps {
  readonly storage: Pick<Storage, 'commit'>
  readonly audit: Audit
  readonly trustLog: TrustLog
}

export const getRules = (deps: SetRulesDeps, caller: Caller, orgId: OrgId = caller.orgId): Promise<ClientRulesView> =>
  deps.trustLog.afterBarrier(caller.barrier, async () =>
    maySee(caller, orgId) ? { organisation: orgId, ...(await findRules(deps, orgId)) } : refuse('not_found', 'no such organisation'),
  )

type ChangedRules = { readonly [Name in keyof ClientRules]?: ClientRules[Name] | undefined }

/** Sets the rules of the caller's organisation; what is absent stays as it is. Consents that were given before stay valid. */
export async function setRules(deps: SetRulesDeps, caller: Caller, rules: ChangedRules): Promise<ClientRulesView> {
  const { orgId } = caller
  if (!isAdminOf(caller, orgId)) refuse('forbidden', 'only administrators set the rules about clients')
  const { externalClients, adminScopes } = rules
  const change = { ...(externalClients && { externalClients }), ...(adminScopes && { adminScopes: [...adminScopes] }) }
  const stored = await deps.clientRules.get(orgId)
  const facts = { ...(externalClients && { externalClients }), ...(adminScopes && { adminScopes: adminScopes.join(' ').slice(0, 512) }) }
  const committed = await deps.storage.commit([
    stored ? deps.clientRules.changing(orgId, {}, change) : deps.clientRules.inserting({ orgId, ...change }),
    deps.audit.recording(auditDraft(caller, 'clients.setRules', { subject: orgId, facts })),
  ])
  if (!committed.ok) refuse('conflict', 'the rules were set concurrently; try again')
  await deps.trustLog.requireStillStanding(caller.barrier, caller.dependencies.handles)
  return { organisation: orgId, ...(await findRules(deps, orgId)) }
}
