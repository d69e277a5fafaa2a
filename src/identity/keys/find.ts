import { z } from 'zod'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import { type KeyOwner, KeyStatement } from '../../protocol/key-statement.js'
import type { Ending } from '../../protocol/log/entry.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import { isWhole } from '../../trust-log/records/records.js'
import { numberedSlots } from './quota-slots.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

interface FindDeps {
  readonly registeredKeys: RegisteredKeysStore
}

/**
 * All keys of an owner that stand, oldest first. They are found by their quota slots, so no number of revoked keys displaces them.
 * A revoked key is included until another key takes its slot: check the handles.
 */
export const findRegisteredKeys = async (deps: FindDeps, owner: KeyOwner): Promise<readonly RegisteredKey[]> =>
  (await readRegisteredKeys(deps, owner)).registeredKeys

/**
 * Like `findRegisteredKeys`. `isAll` is false while a pending write could add or change a key.
 * It is also false while there is no key: a member's first key is inserted by the commit that reveals the member.
 */
export async function readRegisteredKeys(
  { registeredKeys: store }: FindDeps,
  owner: KeyOwner,
): Promise<{ readonly registeredKeys: readonly RegisteredKey[]; readonly isAll: boolean }> {
  const slots = await numberedSlots(store, owner)
  const found = (await Promise.all(slots.map(({ keyId }) => store.collection.get(keyId)))).filter((key) => key !== undefined)
  const registeredKeys = found.filter((key) => key.hidden === undefined).sort((a, b) => a.registeredAt - b.registeredAt)
  return { registeredKeys, isAll: found.length > 0 && found.every(isWhole) }
}

/** The keys that may sign an agent's card: publisher keys of its organisation, and its own keys. */
export async function findPublisherKeys(
  deps: FindDeps,
  { orgId, agentId }: { orgId: OrgId; agentId: AgentId },
): Promise<readonly RegisteredKey[]> {
  const [ofOrganisation, ofAgent] = await Promise.all([findRegisteredKeys(deps, orgId), findRegisteredKeys(deps, agentId)])
  return [...ofOrganisation.filter((key) => key.use === 'publisher'), ...ofAgent]
}

/** The statement of a registered key; the log entry that registers the key contains its digest. */
export const statementOf = (registeredKey: RegisteredKey): KeyStatement => z.object(KeyStatement.shape).parse(registeredKey)

/** Endings of the keys that `granter` registered at or after `since` (epoch seconds). */
export const keysGrantedBy = ({ registeredKeys }: FindDeps, granter: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(registeredKeys.collection, {
    grantedBy: granter,
    since,
    createdAt: ({ registeredAt }) => registeredAt,
    ending: ({ handle }) => ({ handle }),
  })
