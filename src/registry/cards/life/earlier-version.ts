import { z } from 'zod'
import { Card } from '../card-record.js'

/** An earlier version of a card, kept when the next one replaces it: its public content only. */
export const EarlierVersion = z.strictObject({
  /** `<agent id> <version>`, with the version padded, so that ids sort like versions. */
  id: z.string().max(64),
  ...Card.pick({
    agentId: true,
    orgId: true,
    version: true,
    publicCard: true,
    publicCardSha256: true,
    verdict: true,
    signer: true,
    publishedAt: true,
    unpublished: true,
    deprecated: true,
    yanked: true,
  }).shape,
  /** Epoch seconds. */
  replacedAt: z.int(),
})
export type EarlierVersion = z.infer<typeof EarlierVersion>

/** The number of earlier versions that are kept of one card. */
export const MAX_EARLIER_VERSIONS = 100

export const versionId = (agentId: string, version: number): string => `${agentId} ${String(version).padStart(12, '0')}`

/** The document that keeps `card` when another version replaces it. */
export function earlierVersionOf(card: Card, replacedAt: number): EarlierVersion {
  const { agentId, orgId, version, publicCard, publicCardSha256, verdict, signer, publishedAt, unpublished, deprecated, yanked } = card
  return {
    id: versionId(agentId, version),
    agentId,
    orgId,
    version,
    publicCard,
    publicCardSha256,
    verdict,
    ...(signer && { signer }),
    publishedAt,
    ...(unpublished && { unpublished }),
    ...(deprecated && { deprecated }),
    ...(yanked && { yanked }),
    replacedAt,
  }
}
