import type { AgentsStore } from '../../../identity/agents/store.js'
import { usesOf } from '../../../identity/clients/admissions.js'
import type { ClientChanges } from '../../../identity/clients/metadata/changes.js'
import type { ClientDocumentsStore, ClientUsesStore, RegisteredClientsStore } from '../../../identity/clients/store.js'
import type { RegisteredKeysStore } from '../../../identity/keys/store.js'
import type { FindNamespaceDeps } from '../../../identity/namespaces/find.js'
import type { OrganisationsStore } from '../../../identity/organisations/store.js'
import type { Verdict } from '../../../protocol/cards/card-view.js'
import { ExternalClientId } from '../../../protocol/ids.js'
import type { CardsStore } from '../../../registry/cards/store.js'
import { currentVerdict } from '../../../registry/cards/view.js'
import type { Asked } from '../asked.js'

export interface DescribeClientDeps extends FindNamespaceDeps {
  readonly agents: Pick<AgentsStore, 'get'>
  readonly organisations: OrganisationsStore
  readonly registeredClients: Pick<RegisteredClientsStore, 'get'>
  readonly registeredKeys: Pick<RegisteredKeysStore, 'find'>
  readonly clientDocuments: Pick<ClientDocumentsStore, 'get'>
  readonly clientUses: ClientUsesStore
  readonly cards: Pick<CardsStore, 'get'>
}

/** The client as the consent page shows it. */
export interface ClientDescription {
  readonly name: string
  /** Absent for a client that no organisation has registered. */
  readonly organisation: string | undefined
  readonly ownOrganisation: string
  /** Epoch seconds. */
  readonly knownSince: number | undefined
  /** The registry's statement about where the name comes from. */
  readonly verdict: string
  /** Changes that a person should know of. */
  readonly recentChanges: readonly string[]
}

const RECENT_SECONDS = 30 * 86_400

export async function describeClient(deps: DescribeClientDeps, asked: Asked): Promise<ClientDescription> {
  const { client, person, now } = asked
  const { organisations } = deps
  const [known, organisation, own] = await Promise.all([
    client.kind === 'agent' ? describeAgent(deps, client, now) : describeExternal(deps, client),
    client.orgId === undefined ? undefined : organisations.get(client.orgId),
    organisations.get(person.orgId),
  ])
  const { changes = {}, ...description } = known
  return {
    name: client.name ?? client.id,
    organisation: organisation?.name,
    ownOrganisation: own?.name ?? person.orgId,
    ...description,
    recentChanges: CHANGES.flatMap(([name, text]) => {
      const at = changes[name]
      return at !== undefined && at > now - RECENT_SECONDS ? [text] : []
    }),
  }
}

const CHANGES = [
  ['name', 'a new name'],
  ['redirectHosts', 'a new host to return to'],
  ['keys', 'a new key'],
] as const satisfies readonly (readonly [keyof ClientChanges, string])[]

interface Known extends Pick<ClientDescription, 'knownSince' | 'verdict'> {
  readonly changes?: ClientChanges | undefined
}

async function describeAgent(
  deps: DescribeClientDeps,
  { id, clientUri }: Extract<Asked['client'], { kind: 'agent' }>,
  now: number,
): Promise<Known> {
  const [agent, card, keys, registered, document] = await Promise.all([
    deps.agents.get(id),
    deps.cards.get(id),
    deps.registeredKeys.find('owner', { where: { owner: id }, limit: 100 }),
    deps.registeredClients.get(id),
    clientUri === undefined ? undefined : deps.clientDocuments.get(clientUri),
  ])
  const verdict = card && !card.unpublished ? await currentVerdict(deps, card, { tier: 'public', now }) : undefined
  // The first key is no change
  const [, ...later] = keys.items.map(({ registeredAt }) => registeredAt)
  const changes = { ...document?.changes, ...registered?.changes, ...agent?.changes, ...(later.length > 0 && { keys: Math.max(...later) }) }
  return { knownSince: agent?.createdAt, verdict: verdict ? VERDICTS[verdict.state] : 'no published card', changes }
}

const VERDICTS: Readonly<Record<Verdict['state'], string>> = {
  verified: 'its card is signed, and its organisation has proved the name of its host',
  signed: 'its card is signed with a key that is registered here',
  unsigned: 'its card is not signed',
  invalid: 'the signature of its card is wrong',
  unknown_key: 'its card is signed with a key that is not registered here',
  revoked: 'the key that signed its card was revoked',
  stale: 'its card has expired',
  nonconformant: 'its card breaks rules of A2A',
}

async function describeExternal(
  deps: DescribeClientDeps,
  { id, clientUri }: Extract<Asked['client'], { kind: 'external' }>,
): Promise<Known> {
  if (clientUri !== undefined) {
    const document = await deps.clientDocuments.get(clientUri)
    const [oldest] = document ? await usesOf(deps, document.id) : []
    return { verdict: 'its name is its own claim, at the address shown', changes: document?.changes, knownSince: oldest?.createdAt }
  }
  const registered = await deps.registeredClients.get(ExternalClientId.parse(id))
  return { verdict: 'it registered itself; its name is its own claim', changes: registered?.changes, knownSince: registered?.createdAt }
}
