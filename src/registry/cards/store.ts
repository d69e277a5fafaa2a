import { z } from 'zod'
import { MAX_RELEASE_POLICY_BYTES } from '../../credentials/jose/token-types.js'
import { MAX_SD_JWT_BYTES } from '../../credentials/sd-jwt/verify.js'
import type { Random } from '../../lib/random.js'
import { MAX_CARD_BYTES } from '../../protocol/cards/card-model.js'
import { Verdict } from '../../protocol/cards/card-view.js'
import { Handle } from '../../protocol/handles.js'
import { AgentId, EnrolmentId, EntryId, OrgId } from '../../protocol/ids.js'
import { KeyOwner } from '../../protocol/key-statement.js'
import { Scope } from '../../protocol/rights.js'
import { CARD_TIERS, type Collection, indexingCard, type Operation, type Storage, unindexingCard } from '../../storage/storage.js'
import { type Memory, newMemory } from '../../trust-log/records/cache.js'
import { newRecords, type Records } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Reliance } from './pinned-parts.js'
import { rowsOf } from './search-rows/search-rows.js'

/** One version of a part that callers rely on, and the digest of what it says. */
const Part = z.strictObject({ ver: Handle, digest: z.string().length(43) })

/** The current card of an agent. What strangers wrote is kept as text, never as documents with its names. */
export const Card = z.strictObject({
  agentId: AgentId,
  orgId: OrgId,
  /** Public version; a revision changes hidden parts only. */
  version: z.int().min(1),
  revision: z.int().min(0),
  /** Exact bytes received, as text, and their SHA-256. */
  c0: z.string().max(MAX_CARD_BYTES),
  c0Sha256: z.string().length(43),
  /** Digest of C0 without signatures: what the SD-JWT is tied to. */
  cardSha256: z.string().length(43),
  sdJwt: z.string().max(MAX_SD_JWT_BYTES).optional(),
  releasePolicy: z.string().max(MAX_RELEASE_POLICY_BYTES).optional(),
  releaseNumber: z.int().min(0),
  verdict: Verdict,
  signer: z.strictObject({ enrolmentId: EnrolmentId, handle: Handle, owner: KeyOwner }).optional(),
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

export interface CardsStore extends Records<Card> {
  /** A change of hidden parts that ends nothing makes no entry, so what is kept may lack the versions that it has begun. */
  readonly relied: Memory<Reliance>
  readonly versions: Collection<CardVersion>
  /** Replaces the rows of search by those of the card. */
  indexing(card: Card): readonly Operation[]
  /** Removes them. */
  unindexing(agentId: AgentId): readonly Operation[]
}

export function cardsStore(deps: { storage: Storage; trustLog: TrustLog; random: Random }): CardsStore {
  const unindexing = (agentId: AgentId): readonly Operation[] => CARD_TIERS.map((tier) => unindexingCard(agentId, tier))
  const indexing = (card: Card): readonly Operation[] => {
    const rows = card.unpublished ? [] : rowsOf(card)
    return CARD_TIERS.map((tier) => {
      const row = rows.find((one) => one.tier === tier)
      return row ? indexingCard(row) : unindexingCard(card.agentId, tier)
    })
  }
  const records = newRecords(deps, deps.storage.collection<Card>({ name: 'cards', schema: Card, key: 'agentId', indexes: {} }), {
    kind: 'cards',
    versions: ({ core, skills }) => [core.ver, ...skills.map(({ ver }) => ver)],
    revealing: indexing,
  })
  const versions = deps.storage.collection<CardVersion>({ name: 'card-versions', schema: CardVersion, key: 'id', indexes: {} })
  const relied = newMemory<Reliance>(deps.trustLog, ({ type }) => type === 'card.published' || type === 'record.changed')
  return { ...records, versions, indexing, unindexing, relied }
}
