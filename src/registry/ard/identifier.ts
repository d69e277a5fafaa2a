// Identifiers of entries: `urn:air:<publisher>:agents:<name>`. This file alone decides which publisher and name an agent has.
import { AgentId, audienceOf } from '../../protocol/ids.js'

/** @see ARD 0.91 Appendix C */
export const IDENTIFIER = /^urn:air:[A-Za-z0-9.-]+(?::[A-Za-z0-9._-]+)+$/

/** An agent as the catalog names it. */
interface Listing {
  readonly publisher: string
  readonly identifier: string
  /** A URI in the domain of the publisher (ARD §4.5.1). */
  readonly identity: string
}

/** An agent of an organisation without a namespace is listed by the registry's host and its own id. */
export function listingOf(issuer: string, { agentId }: { readonly agentId: AgentId }): Listing {
  const publisher = hostOf(issuer)
  return { publisher, identifier: `urn:air:${publisher}:agents:${agentId}`, identity: audienceOf(issuer, agentId) }
}

/** The agent that a valid identifier names, whether it exists or not; undefined if the identifier cannot be that of an agent. */
export function agentOfIdentifier(issuer: string, identifier: string): AgentId | undefined {
  const [, , publisher, kind, name, ...rest] = identifier.split(':')
  const agentId = AgentId.safeParse(name)
  return publisher === hostOf(issuer) && kind === 'agents' && rest.length === 0 && agentId.success ? agentId.data : undefined
}

/** The host of the registry, as publisher. An IPv6 address, which only a registry in development has, is written with hyphens. */
export const hostOf = (issuer: string): string => new URL(issuer).hostname.replaceAll(/[^A-Za-z0-9.-]/g, '-')
