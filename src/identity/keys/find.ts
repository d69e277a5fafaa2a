import { z } from 'zod'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import { type KeyOwner, KeyStatement } from '../../protocol/key-statement.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import { isWhole } from '../../trust-log/records/records.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

export interface FindDeps {
  readonly registeredKeys: RegisteredKeysStore
}

const MAX_KEYS = 100

/** An owner's registered keys, the oldest first, standing or not: who decides checks their handles. */
export const findRegisteredKeys = async (deps: FindDeps, owner: KeyOwner): Promise<readonly RegisteredKey[]> =>
  (await readRegisteredKeys(deps, owner)).registeredKeys

/** As findEnrolments, and whether they are all: not while one waits to be revealed or changed. A member's first key comes with the member. */
export async function readRegisteredKeys(
  deps: FindDeps,
  owner: KeyOwner,
): Promise<{ readonly registeredKeys: readonly RegisteredKey[]; readonly isAll: boolean }> {
  const { items } = await deps.registeredKeys.collection.find('owner', { where: { owner }, limit: MAX_KEYS, order: 'down' })
  return { registeredKeys: items.filter((one) => one.hidden === undefined).reverse(), isAll: items.length > 0 && items.every(isWhole) }
}

/** Keys that may sign an agent's card: the organisation's publisher keys and the agent's own. */
export async function findPublisherKeys(
  deps: FindDeps,
  { orgId, agentId }: { orgId: OrgId; agentId: AgentId },
): Promise<readonly RegisteredKey[]> {
  const [ofOrganisation, ofAgent] = await Promise.all([findRegisteredKeys(deps, orgId), findRegisteredKeys(deps, agentId)])
  return [...ofOrganisation.filter((one) => one.use === 'publisher'), ...ofAgent]
}

/** The statement whose digest stands in the log. */
export const statementOf = (registeredKey: RegisteredKey): KeyStatement => z.object(KeyStatement.shape).parse(registeredKey)

/** Registered keys that were made by the handle since then. */
export const keysGrantedBy = ({ registeredKeys }: FindDeps, by: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(registeredKeys.collection, { by, since, at: ({ at }) => at, ending: ({ handle }) => ({ handle }) })
