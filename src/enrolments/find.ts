import { z } from 'zod'
import { EnrolmentStatement, type KeyOwner } from '../protocol/enrolment-statement.js'
import type { Ending } from '../protocol/entry.js'
import type { Handle } from '../protocol/handles.js'
import type { AgentId, OrgId } from '../protocol/ids.js'
import type { Enrolment, EnrolmentsStore } from './store.js'

export interface FindDeps {
  readonly enrolments: EnrolmentsStore
}

const MAX_KEYS = 100

/** An owner's enrolments, the oldest first, standing or not: who decides checks their handles. */
export async function findEnrolments(deps: FindDeps, owner: KeyOwner): Promise<readonly Enrolment[]> {
  const { items } = await deps.enrolments.collection.find('owner', { where: { owner }, limit: MAX_KEYS, order: 'down' })
  return items.filter((one) => one.hidden === undefined).reverse()
}

/** Keys that may sign an agent's card: the organisation's publisher keys and the agent's own. */
export async function findPublisherKeys(
  deps: FindDeps,
  { orgId, agentId }: { orgId: OrgId; agentId: AgentId },
): Promise<readonly Enrolment[]> {
  const [ofOrganisation, ofAgent] = await Promise.all([findEnrolments(deps, orgId), findEnrolments(deps, agentId)])
  return [...ofOrganisation.filter((one) => one.use === 'publisher'), ...ofAgent]
}

/** The statement whose digest stands in the log. */
export const statementOf = (enrolment: Enrolment): EnrolmentStatement => z.object(EnrolmentStatement.shape).parse(enrolment)

/** Enrolments that were made by the handle since then. */
export async function enrolmentsGrantedBy(deps: FindDeps, handle: Handle, since: number): Promise<readonly Ending[]> {
  const endings: Ending[] = []
  for (let page = await deps.enrolments.collection.find('by', { where: { by: handle }, limit: 500, order: 'down' }); ; ) {
    endings.push(...page.items.filter((one) => one.at >= since).map((one) => ({ handle: one.handle })))
    if (page.next === undefined || (page.items.at(-1)?.at ?? 0) < since) return endings
    page = await deps.enrolments.collection.find('by', { where: { by: handle }, limit: 500, order: 'down', after: page.next })
  }
}
