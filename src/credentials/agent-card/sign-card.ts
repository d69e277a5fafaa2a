import { type Fault, refuse } from '../../errors.js'
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
import { earlierSignatures, signableCard, signForms } from './card-signatures.js'

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
  requireTiers(input)
  const signatures = earlierSignatures(input.card)
  if (signatures.length > 0 && input.nonPublic.length > 0)
    refuse('card_signature_invalid', 'the card has signatures, which do not cover its public parts alone; remove them, or hide no part', {
      faults: [{ pointer: '/signatures', hint: 'remove this member' }],
    })
  const card = signableCard(input.card)
  // The SD-JWT has these public parts too: they are signed as they are.
  const publicParts = publicCardOf(card, input.nonPublic)
  const publicCard = JSON.stringify(await signForms({ ...publicParts, signatures }, signer))
  const cardSha256 = cardDigest(publicParts)
  if (input.nonPublic.length === 0) return { publicCard, cardSha256 }
  const pointersByDigest = new Map<string, string>()
  const hasPrivateParts = input.nonPublic.some((pointer) => tierAt(input, pointer) === 'private')
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

/** A tier that would have no effect is refused: the part would be public, or released to more callers than was meant. */
function requireTiers({ nonPublic, tiers, defaultTier }: CardToPublish): void {
  const faults: Fault[] = Object.entries(tiers).flatMap(([pointer, tier]) => {
    if (!nonPublic.includes(pointer)) return [{ pointer, hint: 'this part has a tier, but it is not in `hide`, so it would be public' }]
    return tier === 'public' ? [{ pointer, hint: 'a part in `hide` cannot be public; remove it from `hide`' }] : []
  })
  if (defaultTier === 'public') faults.push({ pointer: '', hint: 'the default tier of hidden parts cannot be public' })
  if (faults.length > 0)
    refuse('release_policy_invalid', `a tier has no effect: ${faults[0]?.pointer}: ${faults[0]?.hint}; nothing was published`, { faults })
}

/** The tier of each disclosure by its pointer in the signed card, where array indexes count placeholders and decoys. */
function tiersByPointer(
  { tiers, defaultTier }: CardToPublish,
  pointersByDigest: ReadonlyMap<string, string>,
  sdJwt: string,
): Map<string, Tier> {
  const { disclosures } = processSdJwt(sdJwt, { typ: [CARD_TYP] })
  const tierOfDigest = (digest: string): Tier => tierAt({ tiers, defaultTier }, pointersByDigest.get(digest) ?? '')
  return new Map(disclosures.map(({ pointer, digest }) => [pointer.slice(AGENT_CARD.length), tierOfDigest(digest)] as const))
}

const tierAt = ({ tiers, defaultTier }: Pick<CardToPublish, 'tiers' | 'defaultTier'>, pointer: string): Tier =>
  Object.hasOwn(tiers, pointer) ? (tiers[pointer] ?? defaultTier) : defaultTier
