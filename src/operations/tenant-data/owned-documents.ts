// What is of one organisation, collection by collection. Every document is looked at: few collections have an index by organisation, and this is done once.
import { refuse } from '../../errors.js'
import { silentLog } from '../../lib/log.js'
import type { OrgId } from '../../protocol/ids.js'
import type { ReadableStorage } from '../../storage/bulk.js'
import { anySpec, type Doc, type Spec } from '../../storage/storage.js'
import { newAppliedLog } from '../../trust-log/apply.js'
import { openStores, registryCollections, type Stores } from '../collections.js'
import { documentsOf, type Fields } from '../documents.js'

export interface Belonging {
  readonly spec: Spec<Doc>
  readonly key: string
  readonly doc: Fields
}

/** Ids of the organisation, and of all its members and agents. */
export interface Owned {
  readonly orgId: OrgId
  readonly all: ReadonlySet<string>
  /** Whether its handle has ended. */
  readonly hasEnded: boolean
  readonly stores: Stores
}

type Rule = (doc: Fields, owned: Owned) => boolean
const isIn =
  (...fields: readonly string[]): Rule =>
  (doc, { all }) =>
    fields.some((field) => [doc[field]].flat().some((one) => typeof one === 'string' && all.has(one)))
const nobodys: Rule = () => false

/** In the order in which they are erased: whom others are found by comes last. */
export const RULES: Readonly<Record<string, Rule>> = {
  tickets: isIn('clientId'),
  invitations: isIn('orgId'),
  'agent-registrations': isIn('agentId'),
  'inbox-posted': isIn('agentId', 'from', 'to'),
  inbox: isIn('agentId', 'from', 'to'),
  'inbox-heads': isIn('agentId'),
  introductions: isIn('fromOrg', 'toOrg'),
  tokens: isIn('orgId'),
  tasks: isIn('orgId'),
  'card-versions': isIn('agentId'),
  cards: isIn('orgId'),
  'registered-keys': isIn('owner'),
  'key-slots': isIn('owner'),
  'pending-places': isIn('from'),
  'audit-rows': isIn('orgs'),
  agents: isIn('orgId'),
  members: isIn('orgId'),
  organisations: isIn('id'),
  // Of the registry, or of a moment
  'audit-links': nobodys,
  'audit-writers': nobodys,
  halves: nobodys,
  'registry-keys': nobodys,
  'registry-secrets': nobodys,
  'witnessed-logs': nobodys,
  spent: nobodys,
}

/** Refuses an id that no organisation has. */
export async function ownedDocuments(storage: ReadableStorage, orgId: OrgId): Promise<Owned> {
  const stores = openStores(storage)
  const organisation = await stores.organisations.collection.get(orgId)
  if (organisation === undefined) return refuse('not_found', `no organisation has the id ${orgId}`)
  const all = new Set<string>([orgId])
  for (const spec of [anySpec(stores.agents.collection.spec), anySpec(stores.members.collection.spec)])
    for await (const { doc } of documentsOf(storage, spec)) if (doc.orgId === orgId) all.add(String(doc.id))
  const applied = newAppliedLog({ port: storage.log, log: silentLog })
  const head = await storage.log.head()
  if (head) await applied.readTo(head)
  return { orgId, all, hasEnded: applied.ended.has(organisation.handle), stores }
}

/** All of it, in the order of the rules. */
export async function* belongingsOf(storage: ReadableStorage, owned: Owned): AsyncGenerator<Belonging> {
  const specs = registryCollections()
  const without = specs.filter(({ name }) => RULES[name] === undefined)
  if (without.length > 0) throw new Error(`nobody says whose the documents are of: ${without.map(({ name }) => name).join(', ')}`)
  for (const [name, rule] of Object.entries(RULES)) {
    const spec = specs.find((one) => one.name === name)
    if (spec === undefined || rule === nobodys) continue
    for await (const { key, doc } of documentsOf(storage, spec)) if (rule(doc, owned)) yield { spec, key, doc }
  }
}
