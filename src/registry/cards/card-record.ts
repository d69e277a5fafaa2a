import { z } from 'zod'
import { MAX_RELEASE_POLICY_BYTES } from '../../credentials/jose/token-types.js'
import { MAX_SD_JWT_BYTES } from '../../credentials/sd-jwt/verify.js'
import { MAX_CARD_BYTES } from '../../protocol/cards/card-model.js'
import { Verdict } from '../../protocol/cards/card-view.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, type Audience, EntryId, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import { KeyOwner } from '../../protocol/key-statement.js'
import { Scope } from '../../protocol/rights.js'
import type { Dependencies } from '../../protocol/standing.js'

/** The current version of a part that introductions pin, and the digest of its content. */
export const PinnedPart = z.strictObject({ ver: Handle, digest: z.string().length(43) })
export type PinnedPart = z.infer<typeof PinnedPart>

/** The current card of an agent. The publisher's content is stored as text, so its member names never become field names of a document. */
export const Card = z.strictObject({
  agentId: AgentId,
  orgId: OrgId,
  /**
   * Version of the public card. `revision` counts changes that leave the public content unchanged: new non-public parts or another
   * signature.
   */
  version: z.int().min(1),
  revision: z.int().min(0),
  /** The public card as received, and its SHA-256 digest (base64url). */
  publicCard: z.string().max(MAX_CARD_BYTES),
  publicCardSha256: z.string().length(43),
  /** Digest of the public card without its signatures; the SD-JWT contains it. */
  cardSha256: z.string().length(43),
  sdJwt: z.string().max(MAX_SD_JWT_BYTES).optional(),
  releasePolicy: z.string().max(MAX_RELEASE_POLICY_BYTES).optional(),
  releaseNumber: z.int().min(0),
  verdict: Verdict,
  signer: z.strictObject({ keyId: RegisteredKeyId, handle: Handle, owner: KeyOwner }).optional(),
  /** Pinned parts: interfaces and security together, and each skill. */
  connection: PinnedPart,
  skills: z.array(PinnedPart.extend({ id: z.string().max(256) })).max(256),
  endpoint: z.string().max(2048).optional(),
  /** Scopes of the public card, and those of the card with its non-public parts. */
  scopes: z.array(Scope).max(256),
  allScopes: z.array(Scope).max(256),
  /** Epoch seconds; a revision keeps the time of its version. */
  publishedAt: z.int(),
  /** `exp` of the SD-JWT. */
  expiresAt: z.int().optional(),
  /** Set when the card was unpublished. */
  unpublished: z.literal(true).optional(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Card = z.infer<typeof Card>

/** Content that was published, provided that the log entry exists. Content that a later version has replaced cannot be published again. */
export const CardVersion = z.strictObject({
  /** `<agent> <card_sha256>`. */
  id: z.string().max(96),
  agentId: AgentId,
  version: z.int().min(1),
  entry: EntryId,
  publishedAt: z.int(),
})
export type CardVersion = z.infer<typeof CardVersion>

/** The current versions of a card's pinned parts. */
export interface PinnedVersions {
  /** Version of the connection, then that of each skill. */
  readonly versions: readonly Handle[]
  /** Handle of the registered key that signed the card; empty for an unsigned card. */
  readonly dependencies: Dependencies
}

/** The parts of an agent's current card that an introduction can pin. */
export interface PinnedParts extends PinnedVersions {
  readonly agentId: AgentId
  readonly audience: Audience
  readonly endpoint: string
  /** Scopes of the card with its non-public parts. */
  readonly scopes: readonly Scope[]
  /** Version of the connection, and of each skill by id. A version ends when its part changes. */
  readonly connection: Handle
  readonly skills: ReadonlyMap<string, Handle>
}
