import { z } from 'zod'
import { MAX_RELEASE_POLICY_BYTES } from '../../credentials/jose/token-types.js'
import { MAX_SD_JWT_BYTES } from '../../credentials/sd-jwt/verify.js'
import { MAX_CARD_BYTES } from '../../protocol/cards/card-model.js'
import { Verdict } from '../../protocol/cards/card-view.js'
import { EndNote, EndReason } from '../../protocol/end-reason.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import { KeyOwner } from '../../protocol/key-statement.js'
import { Scope } from '../../protocol/rights.js'

/** The number of yanked versions that a card can have before it must be unpublished. */
export const MAX_YANKED_VERSIONS = 256

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
  /**
   * Handles of kind `ver:`: of the connection (interfaces and their security), and of what callers of each tier rely on in scopes and skills.
   * Each carries over to the next version of the card until something that it stands for is taken away.
   */
  versions: z.strictObject({ connection: Handle, public: Handle, authenticated: Handle, introduced: Handle }),
  /** A new id whenever nothing carries over from the previous card: it was unpublished, or it was signed and the new card is not. */
  publication: z.string().max(22),
  endpoint: z.string().max(2048).optional(),
  /** The URL that an imported card was fetched from. */
  source: z.string().max(2048).optional(),
  /** The proof of the namespace that covered the endpoint when the card was published. While it stands, the card counts as verified. */
  namespace: z.strictObject({ name: z.string().max(128), ver: Handle }).optional(),
  /** Scopes of the public card, and those of the card with its non-public parts. */
  scopes: z.array(Scope).max(256),
  allScopes: z.array(Scope).max(256),
  /** Epoch seconds; a revision keeps the time of its version. */
  publishedAt: z.int(),
  /** `exp` of the SD-JWT. */
  expiresAt: z.int().optional(),
  /** Set when the card was unpublished. */
  unpublished: z.literal(true).optional(),
  /** The publisher advises callers against this version. */
  deprecated: z.strictObject({ at: z.int(), successor: AgentId.optional(), note: EndNote.optional() }).optional(),
  /** Set with `unpublished`: the publisher has withdrawn this version for a reason. */
  yanked: z.strictObject({ at: z.int(), reason: EndReason, note: EndNote.optional() }).optional(),
  /** Earlier versions of this publication that were yanked: introductions that were approved for one of them need another approval. */
  yankedVersions: z.array(z.int().min(1)).max(MAX_YANKED_VERSIONS).optional(),
  /** A new id with every deprecation, yank, renewal and indexing, so that a publication that has read the card before is noticed. */
  changeId: z.string().max(22).optional(),
})
export type Card = z.infer<typeof Card>
