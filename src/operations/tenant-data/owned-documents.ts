import { refuse } from '../../errors.js'
import { AGENTS } from '../../identity/agents/store.js'
import { MEMBERS } from '../../identity/members/store.js'
import { ORGANISATIONS } from '../../identity/organisations/store.js'
import { silentLog } from '../../lib/log.js'
import type { OrgId } from '../../protocol/ids.js'
import type { BulkReadableStorage } from '../../storage/bulk.js'
import { anySpec, type Doc, type Spec } from '../../storage/storage.js'
import { newAppliedLog } from '../../trust-log/apply.js'
import { COLLECTIONS } from '../collections.js'
import { documentsOf, type Fields } from '../documents.js'

/** An organisation, and the ids by which its documents name their owner. */
export interface Tenant {
  readonly orgId: OrgId
  /** Ids of the organisation, its members and its agents. */
  readonly ids: ReadonlySet<string>
  readonly isRevoked: boolean
  /** The agents that can never return: revoked themselves, or with a parent or with the organisation. */
  readonly revokedAgents: ReadonlySet<string>
}

export interface OwnedDocument {
  readonly spec: Spec<Doc>
  readonly key: string
  readonly doc: Fields
}

/** Reads the organisation and the ids of its members and agents. Refuses an unknown id. */
export async function requireTenant(storage: BulkReadableStorage, orgId: OrgId): Promise<Tenant> {
  const organisation = await storage.collection(ORGANISATIONS).get(orgId)
  if (organisation === undefined) return refuse('not_found', `no organisation has the id ${orgId}`)
  const agents: Fields[] = []
  for await (const { doc } of documentsOf(storage, anySpec(AGENTS))) if (doc.orgId === orgId) agents.push(doc)
  const ids = new Set<string>([orgId, ...agents.map(({ id }) => String(id))])
  for await (const { key, doc } of documentsOf(storage, anySpec(MEMBERS))) if (doc.orgId === orgId) ids.add(key)
  const applied = newAppliedLog({ port: storage.log, log: silentLog })
  const head = await storage.log.head()
  if (head) await applied.readTo(head)
  const isRevoked = applied.ended.has(organisation.handle)
  return { orgId, ids, isRevoked, revokedAgents: revokedOf(agents, isRevoked) }
}

/** A revoked agent reaches those that it registered: repeated until no further agent is found, at most once per level. */
function revokedOf(agents: readonly Fields[], isOrganisationRevoked: boolean): ReadonlySet<string> {
  const revoked = new Set<string>()
  for (let before = -1; before < revoked.size; ) {
    before = revoked.size
    for (const { id, parent, handle, endedHandle, endedState } of agents) {
      const isItself = endedState === 'revoked' && endedHandle === handle
      if (isOrganisationRevoked || isItself || revoked.has(String(parent))) revoked.add(String(id))
    }
  }
  return revoked
}

/**
 * Every document that the organisation owns, in the order of `COLLECTIONS`. Reads the whole store: few collections have an index by
 * organisation, and an export or erasure is rare.
 */
export async function* ownedDocuments(storage: BulkReadableStorage, { ids }: Tenant): AsyncGenerator<OwnedDocument> {
  for (const spec of COLLECTIONS) {
    const { ownedBy } = spec
    if (ownedBy === 'registry') continue
    for await (const { key, doc } of documentsOf(storage, spec)) {
      const owners = ownedBy.flatMap((field: string) => doc[field])
      if (owners.some((id) => typeof id === 'string' && ids.has(id))) yield { spec, key, doc }
    }
  }
}
