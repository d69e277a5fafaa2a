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

/** One version of a part that callers rely on, and the digest of what it says. */
export const Part = z.strictObject({ ver: Handle, digest: z.string().length(43) })

/** The current card of an agent. What strangers wrote is kept as text, never as documents with its names. */
export const Card = z.strictObject({
  agentId: AgentId,
  orgId: OrgId,
  /** Public version; a revision changes hidden parts only. */
  version: z.int().min(1),
  revision: z.int().min(0),
  /** Exact bytes received, as text, and their SHA-256. */
  publicCard: z.string().max(MAX_CARD_BYTES),
  publicCardSha256: z.string().length(43),
  /** Digest of C0 without signatures: what the SD-JWT is tied to. */
  cardSha256: z.string().length(43),
  sdJwt: z.string().max(MAX_SD_JWT_BYTES).optional(),
  releasePolicy: z.string().max(MAX_RELEASE_POLICY_BYTES).optional(),
  releaseNumber: z.int().min(0),
  verdict: Verdict,
  signer: z.strictObject({ keyId: RegisteredKeyId, handle: Handle, owner: KeyOwner }).optional(),
  core: Part,
  skills: z.array(Part.extend({ id: z.string().max(256) })).max(256),
  endpoint: z.string().max(2048).optional(),
  /** Scopes that C0 lists, and those that the whole card lists. */
  scopes: z.array(Scope).max(256),
  allScopes: z.array(Scope).max(256),
  publishedAt: z.int(),
  /** `exp` of the SD-JWT. */
  expiresAt: z.int().optional(),
  /** Taken from search when true. */
  unpublished: z.literal(true).optional(),
  hidden: EntryId.optional(),
  nextEntry: EntryId.optional(),
  next: z.record(z.string(), z.unknown()).optional(),
})
export type Card = z.infer<typeof Card>

/** A content that was published once, if its entry stands: it does not come back after another. */
export const CardVersion = z.strictObject({
  /** `<agent> <card_sha256>`. */
  id: z.string().max(96),
  agentId: AgentId,
  version: z.int().min(1),
  entry: EntryId,
  at: z.int(),
})
export type CardVersion = z.infer<typeof CardVersion>

/** What of a card is current. */
export interface PinnedVersions {
  /** Of endpoint and security, then of each skill. */
  readonly versions: readonly Handle[]
  /** The registered key that signed the card, where one did. */
  readonly dependencies: Dependencies
}

/** What callers rely on in an agent's current card. */
export interface PinnedParts extends PinnedVersions {
  readonly agentId: AgentId
  readonly audience: Audience
  readonly endpoint: string
  /** The scopes that its card lists. */
  readonly scopes: readonly Scope[]
  /** One version for endpoint and security, one for each skill by its id; a version ends when that part changes. */
  readonly core: Handle
  readonly skills: Readonly<Record<string, Handle>>
}
