import { z } from 'zod'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type AgentId, audienceOf, cardBaseUrlOf, type OrgId } from '../../protocol/ids.js'
import type { CardSummary } from '../../storage/storage.js'
import { hostOf, type Listing } from './identifier.js'

const Attestation = z.object({ type: z.string(), uri: z.string(), mediaType: z.string(), digest: z.string().optional() })
const TrustManifest = z.object({
  identity: z.string(),
  identityType: z.enum(['https', 'other']),
  attestations: z.array(Attestation),
})

/** An entry of the catalog (ARD 0.91 §4.2). It is an entry of an AI Catalog 1.0 too. */
export const ArdEntry = z.object({
  identifier: z.string(),
  displayName: z.string(),
  type: z.string(),
  url: z.string(),
  description: z.string().optional(),
  tags: z.array(z.string()).optional(),
  capabilities: z.array(z.string()).optional().describe('ids of the skills'),
  representativeQueries: z.array(z.string()).optional(),
  version: z.string().optional(),
  updatedAt: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional().describe('facts of the registry'),
  trustManifest: TrustManifest,
})
export type ArdEntry = z.infer<typeof ArdEntry>

export const CARD_TYPE = 'application/a2a-agent-card+json'
const REGISTRY_TYPE = 'application/ai-registry+json'
export const CATALOG_TYPE = 'application/ai-catalog+json'
/** The documents by which the claims of an entry can be checked: the signed card, the keys of its publisher and of the registry, and the trust log. */
export const ATTESTATION_TYPES = {
  card: 'A2A-Agent-Card',
  publisher: 'Publisher-JWKS',
  registry: 'Registry-JWKS',
  log: 'Trust-Log-Checkpoint',
}

/** The parts of a card that its entry shows, from a search hit or from the search row of a tier. */
interface ListedCard {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly verdict: Verdict
  readonly text: { readonly name: string; readonly description: string; readonly version: string }
  readonly skills: readonly { readonly id: string; readonly tags: readonly string[] }[]
}

/** The entry of a search hit: without the members that serve to index it (ARD §5.3.2). */
export function entryOfHit(issuer: string, hit: ListedCard, { identifier, identity }: Listing): ArdEntry {
  const { agentId, orgId, verdict, text, skills } = hit
  const audience = audienceOf(issuer, agentId)
  return {
    identifier,
    displayName: text.name,
    type: CARD_TYPE,
    url: cardUrlOf(issuer, agentId),
    ...(text.description !== '' && { description: text.description }),
    ...nonEmpty('tags', [...new Set(skills.flatMap(({ tags }) => tags))]),
    ...nonEmpty(
      'capabilities',
      skills.map(({ id }) => id),
    ),
    version: text.version,
    metadata: { agentId, organisationId: orgId, audience, verdict: verdict.state },
    trustManifest: {
      identity,
      identityType: identityTypeOf(identity),
      attestations: [
        { type: ATTESTATION_TYPES.card, uri: cardUrlOf(issuer, agentId), mediaType: CARD_TYPE },
        { type: ATTESTATION_TYPES.publisher, uri: `${audience}/jwks.json`, mediaType: JWKS_TYPE },
        ...attestationsOf(issuer),
      ],
    },
  }
}

/** The complete entry, from the search row of the public tier. */
export function entryOfRow(issuer: string, listed: ListedCard, listing: Listing, { catalog }: Pick<CardSummary, 'catalog'>): ArdEntry {
  const entry = entryOfHit(issuer, listed, listing)
  // A row of an earlier release, until it is indexed again
  if (!catalog) return entry
  const digest = `sha256:${Buffer.from(catalog.sha256, 'base64url').toString('hex')}`
  return {
    ...entry,
    ...nonEmpty('representativeQueries', catalog.queries),
    updatedAt: new Date(catalog.publishedAt * 1000).toISOString(),
    trustManifest: {
      ...entry.trustManifest,
      attestations: entry.trustManifest.attestations.map((one) => (one.type === ATTESTATION_TYPES.card ? { ...one, digest } : one)),
    },
  }
}

/** The entry of the registry itself, from which a consumer learns the address of the search. */
export const entryOfRegistry = (issuer: string): ArdEntry => ({
  identifier: `urn:air:${hostOf(issuer)}:registry:credence`,
  displayName: `Agent registry at ${hostOf(issuer)}`,
  type: REGISTRY_TYPE,
  url: `${issuer}/`,
  description: 'Search for A2A agents whose signed cards are published here.',
  representativeQueries: ['find an agent that can do this task', 'which agents are published at this registry'],
  trustManifest: registryTrust(issuer),
})

export const registryTrust = (issuer: string): ArdEntry['trustManifest'] => ({
  identity: issuer,
  identityType: identityTypeOf(issuer),
  attestations: attestationsOf(issuer),
})

const JWKS_TYPE = 'application/jwk-set+json'
const attestationsOf = (issuer: string) => [
  { type: ATTESTATION_TYPES.registry, uri: `${issuer}/.well-known/jwks.json`, mediaType: JWKS_TYPE },
  { type: ATTESTATION_TYPES.log, uri: `${issuer}/log/checkpoint`, mediaType: 'text/plain' },
]
const cardUrlOf = (issuer: string, agentId: AgentId): string => `${cardBaseUrlOf(audienceOf(issuer, agentId))}.well-known/agent-card.json`
const identityTypeOf = (identity: string): 'https' | 'other' => (identity.startsWith('https:') ? 'https' : 'other')
/** A list that would be empty is left out (ard.cddl). */
const nonEmpty = <N extends string>(name: N, list: readonly string[]) => (list.length > 0 ? { [name]: [...list] } : {})
