import { z } from 'zod'
import { MAX_RELEASE_POLICY_BYTES } from '../../credentials/jose/token-types.js'
import { MAX_SD_JWT_BYTES } from '../../credentials/sd-jwt/verify.js'
import { MAX_CARD_BYTES } from '../../protocol/cards/card-model.js'
import { Verdict } from '../../protocol/cards/card-view.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, OrgId, RegisteredKeyId } from '../../protocol/ids.js'
import { KeyOwner } from '../../protocol/key-statement.js'
import { Scope } from '../../protocol/rights.js'

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
  /** Scopes of the public card, and those of the card with its non-public parts. */
  scopes: z.array(Scope).max(256),
  allScopes: z.array(Scope).max(256),
  /** Epoch seconds; a revision keeps the time of its version. */
  publishedAt: z.int(),
  /** `exp` of the SD-JWT. */
  expiresAt: z.int().optional(),
  /** Set when the card was unpublished. */
  unpublished: z.literal(true).optional(),
})
export type Card = z.infer<typeof Card>
