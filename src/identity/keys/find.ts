import { z } from 'zod'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import { EnrolmentStatement, type KeyOwner } from '../../protocol/key-statement.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import { isWhole } from '../../trust-log/records/records.js'
import type { Enrolment, EnrolmentsStore } from './store.js'

export interface FindDeps {
  readonly enrolments: EnrolmentsStore
}

const MAX_KEYS = 100

/** An owner's enrolments, the oldest first, standing or not: who decides checks their handles. */
export const findEnrolments = async (deps: FindDeps, owner: KeyOwner): Promise<readonly Enrolment[]> =>
  (await readEnrolments(deps, owner)).enrolments

/** As findEnrolments, and whether they are all: not while one waits to be revealed or changed. A member's first key comes with the member. */
export async function readEnrolments(
  deps: FindDeps,
  owner: KeyOwner,
): Promise<{ readonly enrolments: readonly Enrolment[]; readonly isAll: boolean }> {
  const { items } = await deps.enrolments.collection.find('owner', { where: { owner }, limit: MAX_KEYS, order: 'down' })
  return { enrolments: items.filter((one) => one.hidden === undefined).reverse(), isAll: items.length > 0 && items.every(isWhole) }
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
export const enrolmentsGrantedBy = ({ enrolments }: FindDeps, by: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(enrolments.collection, { by, since, at: ({ at }) => at, ending: ({ handle }) => ({ handle }) })
