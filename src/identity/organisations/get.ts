import type { Audit } from '../../audit/audit.js'
import type { FindHistory, HistoryView } from '../../audit/history.js'
import { refuse } from '../../errors.js'
import type { Caller } from '../../http/caller.js'
import type { Handle } from '../../protocol/handles.js'
import type { OrgId } from '../../protocol/ids.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Organisation, OrganisationsStore } from './store.js'

export interface GetOrganisationDeps {
  readonly organisations: OrganisationsStore
  readonly trustLog: TrustLog
  readonly audit: Pick<Audit, 'history'>
}

/** An organisation in the responses of `organisations.get` and `organisations.list`. */
export interface OrganisationView extends Partial<HistoryView> {
  readonly orgId: OrgId
  readonly name: string
  readonly state: 'active' | 'revoked'
  readonly createdAt: number
  readonly handles: readonly Handle[]
}

/** Returns the caller's own organisation, and any organisation to the operator. Every other id gets `not_found`. */
export async function getOrganisation(deps: GetOrganisationDeps, caller: Caller, orgId: OrgId): Promise<OrganisationView> {
  const organisation = caller.role === 'operator' || caller.orgId === orgId ? await deps.organisations.get(orgId) : undefined
  return organisation ? viewOf(deps, organisation, deps.audit.history(caller)) : refuse('not_found', 'no such organisation')
}

export async function viewOf(
  { trustLog }: GetOrganisationDeps,
  { id, name, handle, createdAt }: Organisation,
  findHistory: FindHistory,
): Promise<OrganisationView> {
  const hasEnded = trustLog.ended.has(handle)
  const ending = hasEnded ? await findHistory([handle]) : undefined
  return { orgId: id, name, state: hasEnded ? 'revoked' : 'active', createdAt, handles: [handle], ...ending }
}
