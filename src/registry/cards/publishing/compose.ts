import { withoutSignatures } from '../../../credentials/agent-card/canonical-card.js'
import { AGENT_CARD, CARD_TYP } from '../../../credentials/agent-card/card-credential.js'
import { readClaims, readJws } from '../../../credentials/jose/jws.js'
import { MAX_RELEASE_POLICY_BYTES, RELEASE_TYP } from '../../../credentials/jose/token-types.js'
import { presentSdJwt } from '../../../credentials/sd-jwt/issue.js'
import { processSdJwt } from '../../../credentials/sd-jwt/verify.js'
import { SIGNATURE_ALGORITHMS } from '../../../lib/algorithms.js'
import { isJsonObject, type JsonObject, parseJson } from '../../../lib/json.js'
import { ReleasePolicy, type Tier, tierCovers, tierOf } from '../../../protocol/cards/release-policy.js'

export type ViewTier = Exclude<Tier, 'private'>

/** A card as a tier may see it. Only what was verified when it was published is read here. */
export interface ComposedCard {
  readonly json: JsonObject
  /** With just the disclosures that the tier is entitled to; absent for the public tier and for cards without one. */
  readonly sdJwt?: string
}

/** What a publisher sent, as it is stored. */
export interface SentCard {
  readonly publicCard: string
  readonly sdJwt?: string | undefined
  readonly releasePolicy?: string | undefined
}

export function composeCard(card: SentCard, tier: ViewTier): ComposedCard {
  const { sdJwt } = card
  if (sdJwt === undefined || tier === 'public') return { json: publicJson(card) }
  const policy = policyOf(card)
  const shown = presentSdJwt(
    sdJwt,
    (pointer) => policy !== undefined && tierCovers(tier, tierOf(policy, pointer.slice(AGENT_CARD.length))),
    [CARD_TYP],
  )
  const json = processSdJwt(shown, { typ: [CARD_TYP] }).payload.agent_card
  return { json: isJsonObject(json) ? json : {}, sdJwt: shown }
}

function publicJson({ publicCard }: SentCard): JsonObject {
  const json = parseJson(publicCard)
  return isJsonObject(json) ? withoutSignatures(json) : {}
}

/** The policy whose signature was verified when it was published. Without one nothing is released. */
function policyOf({ releasePolicy }: SentCard): ReleasePolicy | undefined {
  const jws = readJws(releasePolicy, { maxBytes: MAX_RELEASE_POLICY_BYTES, algs: SIGNATURE_ALGORITHMS, typ: [RELEASE_TYP] })
  const claims = typeof jws === 'string' ? undefined : readClaims(jws.payload)
  const parsed = ReleasePolicy.safeParse(claims)
  return parsed.success ? parsed.data : undefined
}
