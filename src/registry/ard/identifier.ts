// Identifiers of entries: `urn:air:<publisher>:agents:<name>`. This file alone decides which publisher and name an agent has.
//
// The publisher of an agent is the namespace that its verdict names, and the name is that of the agent, with hyphens for spaces. A name that does not
// belong to the agent in the namespace, or that an identifier cannot hold, is replaced by the agent's id. Without such a namespace, the publisher
// is the host of the registry and the name is the agent's id.
import type { FindAgentDeps } from '../../identity/agents/find.js'
import { findNamed } from '../../identity/names/agent-names.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { AgentId, audienceOf } from '../../protocol/ids.js'

/** @see ARD 0.91 Appendix C */
export const IDENTIFIER = /^urn:air:[A-Za-z0-9.-]+(?::[A-Za-z0-9._-]+)+$/
const NAME = /^[A-Za-z0-9._-]+$/

type ListingDeps = Pick<FindAgentDeps, 'issuer' | 'agents'>

/** An agent as the catalog names it. */
export interface Listing {
  readonly publisher: string
  readonly identifier: string
  /** A URI in the domain of the publisher (ARD §4.5.1). */
  readonly identity: string
}

export async function listingOf(
  deps: ListingDeps,
  { agentId, verdict }: { readonly agentId: AgentId; readonly verdict: Pick<Verdict, 'namespace'> },
): Promise<Listing> {
  const publisher = verdict.namespace?.name
  if (publisher === undefined) return listing(hostOf(deps.issuer), agentId, audienceOf(deps.issuer, agentId))
  const name = await nameIn(deps, publisher, agentId)
  return listing(publisher, name ?? agentId, `https://${publisher}`)
}

const listing = (publisher: string, name: string, identity: string): Listing => ({
  publisher,
  identifier: `urn:air:${publisher}:agents:${name}`,
  identity,
})

async function nameIn(deps: ListingDeps, namespace: string, agentId: AgentId): Promise<string | undefined> {
  const agent = await deps.agents.get(agentId)
  const name = agent?.name.trim().replaceAll(/\s+/g, '-') ?? ''
  if (!NAME.test(name) || AgentId.safeParse(name).success) return undefined
  return (await findNamed(deps, namespace, name)) === agentId ? name : undefined
}

/** The only agent that may have this identifier; undefined if none can. Compare the identifier of its entry. */
export async function findCandidate(deps: ListingDeps, identifier: string): Promise<AgentId | undefined> {
  const [, , publisher = '', , name = ''] = identifier.split(':')
  const agentId = AgentId.safeParse(name)
  return agentId.success ? agentId.data : findNamed(deps, publisher, name)
}

/** The host of the registry, as publisher. An IPv6 address, which only a registry in development has, is written with hyphens. */
export const hostOf = (issuer: string): string => new URL(issuer).hostname.replaceAll(/[^A-Za-z0-9.-]/g, '-')
