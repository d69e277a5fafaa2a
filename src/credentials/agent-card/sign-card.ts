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

interface CardToPublish {
  readonly card: JsonObject
  /** JSON Pointers of the non-public parts. */
  readonly nonPublic: readonly string[]
  /** Tiers of non-public parts by pointer; `defaultTier` for the others. */
  readonly tiers: Readonly<Record<string, Tier>>
  readonly defaultTier: Tier
  /** Id of the publisher: an organisation, or the agent itself. */
  readonly iss: string
  /** Audience URI of the agent. */
  readonly sub: string
  readonly vct: string
  readonly agentId: AgentId
  readonly version: number
  readonly releaseNumber: number
  /** Lifetime of the SD-JWT, in seconds. */
  readonly seconds: number
  /** Public key with which the agent presents its private parts (`cnf`). */
  readonly holder?: Readonly<Record<string, unknown>> | undefined
}

export interface PublishableCard {
  readonly publicCard: string
  /** Digest of the public card without signatures. */
  readonly cardSha256: string
  readonly sdJwt?: string
  readonly releasePolicy?: string
  /** Present if the card has private parts: the SD-JWT with all disclosures, from which the agent presents. It is never uploaded. */
  readonly ownSdJwt?: string
}

/** Prepares a card for publication: the signed public card, the SD-JWT without private parts, and the release policy. */
export async function preparePublication(
  input: CardToPublish,
  { signer, random, now }: { readonly signer: Signer; readonly random: Pick<Random, 'bytes' | 'token'>; readonly now: number },
): Promise<PublishableCard> {
  const card = signableCard(input.card)
  const publicParts = publicCardOf(card, input.nonPublic)
  const publicCard = JSON.stringify(await signCard(publicParts, signer))
  const cardSha256 = cardDigest(publicParts)
  if (input.nonPublic.length === 0) return { publicCard, cardSha256 }
  const pointersByDigest = new Map<string, string>()
  const hasPrivateParts = input.nonPublic.some((pointer) => (input.tiers[pointer] ?? input.defaultTier) === 'private')
  const completeSdJwt = await issueCardCredential(
    {
      iss: input.iss,
      sub: input.sub,
      iat: now,
      exp: now + input.seconds,
      vct: input.vct,
      cardId: input.agentId,
      cardVersion: input.version,
      card,
      nonPublic: input.nonPublic,
      ...(hasPrivateParts && input.holder && { holder: input.holder }),
      onDisclosure: (pointer, digest) => pointersByDigest.set(digest, pointer),
    },
    { signer, random },
  )
  const tiers = tiersByPointer(input, pointersByDigest, completeSdJwt)
  const policy = ReleasePolicy.parse({
    iss: input.iss,
    sub: input.sub,
    iat: now,
    number: input.releaseNumber,
    card_sha256: cardSha256,
    default: input.defaultTier,
    tiers: Object.fromEntries([...tiers].filter(([, tier]) => tier !== input.defaultTier || tier === 'private')),
  })
  const releasePolicy = await signJwt({ typ: RELEASE_TYP, kid: thumbprint(signer.publicJwk) }, policy, signer)
  const privatePointers = [...tiers].filter(([, tier]) => tier === 'private').map(([pointer]) => AGENT_CARD + pointer)
  const isUploaded = (pointer: string): boolean => !privatePointers.some((part) => isWithin(part, pointer))
  const sdJwt = presentSdJwt(completeSdJwt, isUploaded, [CARD_TYP])
  return { publicCard, cardSha256, sdJwt, releasePolicy, ...(hasPrivateParts && { ownSdJwt: completeSdJwt }) }
}

/** The tier of each disclosure by its pointer in the signed card, where array indexes count placeholders and decoys. */
function tiersByPointer(
  { tiers, defaultTier }: CardToPublish,
  pointersByDigest: ReadonlyMap<string, string>,
  sdJwt: string,
): Map<string, Tier> {
  const { disclosures } = processSdJwt(sdJwt, { typ: [CARD_TYP] })
  const tierOfDigest = (digest: string): Tier => tiers[pointersByDigest.get(digest) ?? ''] ?? defaultTier
  return new Map(disclosures.map(({ pointer, digest }) => [pointer.slice(AGENT_CARD.length), tierOfDigest(digest)] as const))
}
