import { z } from 'zod'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId, ClientId, OrgId } from '../../protocol/ids.js'
import { type KeyOwner, KeyStatement } from '../../protocol/key-statement.js'
import type { Ending } from '../../protocol/log/entry.js'
import type { Cursor } from '../../storage/storage.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import { numberedSlots } from './quota-slots.js'
import type { RegisteredKey, RegisteredKeysStore } from './store.js'

interface FindDeps {
  readonly registeredKeys: RegisteredKeysStore
}

/**
 * All keys of an owner that stand, oldest first. They are found by their quota slots, so no number of revoked keys displaces them.
 * A revoked key is included until another key takes its slot: check the handles.
 */
export async function findRegisteredKeys({ registeredKeys }: FindDeps, owner: KeyOwner): Promise<readonly RegisteredKey[]> {
  const slots = await numberedSlots(registeredKeys, owner)
  const found = await Promise.all(slots.map(({ keyId }) => registeredKeys.get(keyId)))
  // A slot grants nothing by itself: the log vouches for the owner of the key, and for no slot
  return found.flatMap((key) => (key?.owner === owner ? [key] : [])).sort((a, b) => a.registeredAt - b.registeredAt)
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

/**
 * Endings of the keys that a client has proved itself at or after `since`, with a one-time code or its metadata. A thief of one of its keys may have had
 * these; they name who issued the code, not the stolen key.
 */
export async function keysProvedSince({ registeredKeys }: FindDeps, owner: ClientId, since: number): Promise<readonly Ending[]> {
  const endings: Ending[] = []
  for (let after: Cursor | undefined; ; ) {
    const page = await registeredKeys.find('owner', { where: { owner }, order: 'down', limit: PAGE, ...(after && { after }) })
    const recent = page.items.filter(({ registeredAt }) => registeredAt >= since)
    endings.push(...recent.filter(({ registeredBy }) => registeredBy === owner).map(({ handle }) => ({ handle })))
    if (page.next === undefined || recent.length < page.items.length) return endings
    after = page.next
  }
}
const PAGE = 100

/** Endings of the keys that `granter` registered at or after `since` (epoch seconds). */
export const keysGrantedBy = ({ registeredKeys }: FindDeps, granter: Handle, since: number): Promise<readonly Ending[]> =>
  grantedSince(registeredKeys, {
    grantedBy: granter,
    since,
    createdAt: ({ registeredAt }) => registeredAt,
    ending: ({ handle }) => ({ handle }),
  })
