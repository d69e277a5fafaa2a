import type { JsonObject } from '../../lib/json.js'
import { isWithin } from '../../lib/json-pointer.js'
import type { Random } from '../../lib/random.js'
import { ReleasePolicy, type Tier } from '../../protocol/cards/release-policy.js'
import type { AgentId } from '../../protocol/ids.js'
import { thumbprint } from '../jose/jwk.js'
import { type Signer, signJwt } from '../jose/sign.js'
import { RELEASE_TYP } from '../jose/token-types.js'
import { presentSdJwt } from '../sd-jwt/issue.js'
import { processSdJwt } from '../sd-jwt/verify.js'
import { AGENT_CARD, CARD_TYP, cardDigest, issueCardCredential, publicCardOf } from './card-credential.js'
import { signableCard, signCard } from './card-signatures.js'

export interface CardToPublish {
  readonly card: JsonObject
  /** JSON Pointers of what not everybody may see. */
  readonly hide: readonly string[]
  /** Tier of each hidden part by its pointer; `defaultTier` for the others. */
  readonly tiers: Readonly<Record<string, Tier>>
  readonly defaultTier: Tier
  /** Who signs: organisation or agent id. */
  readonly iss: string
  /** Audience URI of the agent. */
  readonly sub: string
  readonly vct: string
  readonly agentId: AgentId
  readonly version: number
  readonly releaseNumber: number
  /** Life of the SD-JWT. */
  readonly seconds: number
  /** Public key of the agent, by which it shows its private parts itself (`cnf`). */
  readonly holder?: Readonly<Record<string, unknown>> | undefined
}

export interface PublishableCard {
  readonly c0: string
  /** Digest of the public card without signatures. */
  readonly cardSha256: string
  readonly sdJwt?: string
  readonly releasePolicy?: string
  /** Where something is private: every disclosure, those too. What the agent itself presents from; it is never uploaded. */
  readonly ownSdJwt?: string
}

/** Signs, splits and prepares a card: C0 on which all canonical forms agree, the SD-JWT without private parts, the release policy. */
export async function signAndSplit(
  order: CardToPublish,
  { signer, random, now }: { readonly signer: Signer; readonly random: Pick<Random, 'bytes' | 'token'>; readonly now: number },
): Promise<PublishableCard> {
  const whole = signableCard(order.card)
  const publicCard = publicCardOf(whole, order.hide)
  const c0 = JSON.stringify(await signCard(publicCard, signer))
  const cardSha256 = cardDigest(publicCard)
  if (order.hide.length === 0) return { c0, cardSha256 }
  const ordered = new Map<string, string>()
  const isPrivate = order.hide.some((pointer) => (order.tiers[pointer] ?? order.defaultTier) === 'private')
  const all = await issueCardCredential(
    {
      iss: order.iss,
      sub: order.sub,
      iat: now,
      exp: now + order.seconds,
      vct: order.vct,
      cardId: order.agentId,
      cardVersion: order.version,
      card: whole,
      hide: order.hide,
      ...(isPrivate && order.holder && { holder: order.holder }),
      onDisclosure: (pointer, digest) => ordered.set(digest, pointer),
    },
    { signer, random },
  )
  const tiers = tiersByPlace(order, ordered, all)
  const policy = ReleasePolicy.parse({
    iss: order.iss,
    sub: order.sub,
    iat: now,
    number: order.releaseNumber,
    card_sha256: cardSha256,
    default: order.defaultTier,
    tiers: Object.fromEntries([...tiers].filter(([, tier]) => tier !== order.defaultTier || tier === 'private')),
  })
  const releasePolicy = await signJwt({ typ: RELEASE_TYP, kid: thumbprint(signer.publicJwk) }, policy, signer)
  const secret = [...tiers].filter(([, tier]) => tier === 'private').map(([pointer]) => AGENT_CARD + pointer)
  const sdJwt = presentSdJwt(all, (pointer) => !secret.some((one) => isWithin(one, pointer)), [CARD_TYP])
  return { c0, cardSha256, sdJwt, releasePolicy, ...(isPrivate && { ownSdJwt: all }) }
}

/** The tier of each disclosure by its place in the signed card, where array positions count placeholders and decoys. */
function tiersByPlace({ tiers, defaultTier }: CardToPublish, ordered: ReadonlyMap<string, string>, sdJwt: string): Map<string, Tier> {
  const { disclosures } = processSdJwt(sdJwt, { typ: [CARD_TYP] })
  return new Map(
    disclosures.map(({ pointer, digest }) => [pointer.slice(AGENT_CARD.length), tiers[ordered.get(digest) ?? ''] ?? defaultTier] as const),
  )
}
