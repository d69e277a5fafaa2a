// Card composition: makes the card that a tier may see from the stored documents of its publisher.
//
// The public tier, and every tier of a card without an SD-JWT, gets the public card without its signatures. For a higher tier, the release
// policy gives each non-public part a tier; disclosures of parts that the caller's tier does not cover are removed from the SD-JWT, and
// the remaining presentation is expanded to JSON.
//
// Signatures are not verified here: `check-publication.ts` verified all three documents before they were stored.
// Cost: parsing one JSON text, or hashing every disclosure of the SD-JWT once. The sizes are limited when a card is published:
// MAX_CARD_BYTES, MAX_SD_JWT_BYTES and MAX_RELEASE_POLICY_BYTES.
import { withoutSignatures } from '../../../credentials/agent-card/canonical-card.js'
import { AGENT_CARD, CARD_TYP } from '../../../credentials/agent-card/card-credential.js'
import { readClaims, readJws } from '../../../credentials/jose/jws.js'
import { MAX_RELEASE_POLICY_BYTES, RELEASE_TYP } from '../../../credentials/jose/token-types.js'
import { presentSdJwt } from '../../../credentials/sd-jwt/issue.js'
import { processSdJwt } from '../../../credentials/sd-jwt/verify.js'
import { SIGNATURE_ALGORITHMS } from '../../../lib/algorithms.js'
import { isJsonObject, type JsonObject, parseJson } from '../../../lib/json.js'
import { type CardModel, readCardJson } from '../../../protocol/cards/card-model.js'
import { ReleasePolicy, type Tier, tierCovers, tierOf } from '../../../protocol/cards/release-policy.js'

/** Every tier but `private`, whose parts are never uploaded. */
export const VIEW_TIERS = ['public', 'authenticated', 'introduced'] as const satisfies readonly Tier[]
export type ViewTier = (typeof VIEW_TIERS)[number]

/** A card as a caller of one tier sees it. */
interface ComposedCard {
  readonly json: JsonObject
  /** The SD-JWT with the disclosures of the tier; absent for the public tier and for cards without an SD-JWT. */
  readonly sdJwt?: string
}

/** The documents of a publisher, as they are stored. */
export interface CardDocuments {
  readonly publicCard: string
  readonly sdJwt?: string | undefined
  readonly releasePolicy?: string | undefined
}

/** Composes the card of a tier; see the header of this file. */
export function composeCard(card: CardDocuments, tier: ViewTier): ComposedCard {
  const { sdJwt } = card
  if (sdJwt === undefined || tier === 'public') return { json: publicJson(card) }
  const policy = policyOf(card)
  const presentation = presentSdJwt(
    sdJwt,
    (pointer) => policy !== undefined && tierCovers(tier, tierOf(policy, pointer.slice(AGENT_CARD.length))),
    [CARD_TYP],
  )
  const json = processSdJwt(presentation, { typ: [CARD_TYP] }).payload.agent_card
  return { json: isJsonObject(json) ? json : {}, sdJwt: presentation }
}

/**
 * The model of the parts that a tier may see; undefined if they alone are not a valid card. A card without an SD-JWT may be nonconformant: it
 * was imported, and what can be read of it counts.
 */
function modelAt(card: CardDocuments, tier: ViewTier): CardModel | undefined {
  const { model, lenientModel } = readCardJson(composeCard(card, tier).json)
  return model ?? (card.sdJwt === undefined ? lenientModel : undefined)
}

/** The models of all tiers. Without an SD-JWT, every tier sees the public card, which is read once. */
export function modelsOf(card: CardDocuments): Readonly<Record<ViewTier, CardModel | undefined>> {
  const ofPublic = modelAt(card, 'public')
  const modelFor = (tier: ViewTier) => (card.sdJwt === undefined ? ofPublic : modelAt(card, tier))
  return { public: ofPublic, authenticated: modelFor('authenticated'), introduced: modelFor('introduced') }
}

function publicJson({ publicCard }: CardDocuments): JsonObject {
  const json = parseJson(publicCard)
  return isJsonObject(json) ? withoutSignatures(json) : {}
}

/** The stored release policy. Without one, no tier gets a disclosure. */
function policyOf({ releasePolicy }: CardDocuments): ReleasePolicy | undefined {
  const jws = readJws(releasePolicy, { maxBytes: MAX_RELEASE_POLICY_BYTES, algs: SIGNATURE_ALGORITHMS, typ: [RELEASE_TYP] })
  const claims = typeof jws === 'string' ? undefined : readClaims(jws.payload)
  const parsed = ReleasePolicy.safeParse(claims)
  return parsed.success ? parsed.data : undefined
}
