import { digestOfJson, digestOfText } from '../../credentials/jose/digest.js'
import type { RegisteredKey } from '../../identity/keys/store.js'
import type { Random } from '../../lib/random.js'
import type { CardModel } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import { Scope } from '../../protocol/rights.js'
import type { Guard } from '../../storage/storage.js'
import type { Card, PinnedPart } from './card-record.js'
import { endpointOf } from './publishing/public-urls.js'

/** A checked publication or import: everything from which the card's record is made. */
interface CardContent {
  readonly agentId: AgentId
  readonly orgId: OrgId
  /** The agent's current card. */
  readonly previous: Card | undefined
  /** `previous` if it has the same public content: the record is then a revision of it, not a new version. */
  readonly revisionOf: Card | undefined
  readonly publicCard: string
  readonly cardSha256: string
  readonly publicModel: CardModel
  /** The public card together with the non-public parts that were uploaded. */
  readonly fullModel: CardModel
  readonly nonPublic: Pick<Card, 'sdJwt' | 'releasePolicy' | 'releaseNumber' | 'expiresAt'>
  readonly verdict: Verdict
  readonly signer: RegisteredKey | undefined
}

interface CardContext {
  readonly random: Pick<Random, 'token'>
  readonly now: number
  readonly dev: boolean
}

/** Makes the record that replaces `previous`. */
export function newCard({ random, now, dev }: CardContext, content: CardContent): Card {
  const { agentId, orgId, previous, revisionOf, publicCard, cardSha256, publicModel, fullModel, nonPublic, verdict, signer } = content
  const endpoint = endpointOf(publicModel, { dev })
  return {
    agentId,
    orgId,
    version: nextVersion(previous, revisionOf),
    revision: revisionOf ? revisionOf.revision + 1 : 0,
    publicCard,
    publicCardSha256: digestOfText(publicCard),
    cardSha256,
    ...nonPublic,
    verdict,
    ...(signer && { signer: { keyId: signer.id, handle: signer.handle, owner: signer.owner } }),
    ...partsOf({ publicModel, fullModel }, reusableParts(previous, signer !== undefined), random),
    ...(endpoint !== undefined && { endpoint }),
    scopes: scopesOf(publicModel),
    allScopes: scopesOf(fullModel),
    publishedAt: revisionOf?.publishedAt ?? now,
  }
}

/**
 * Holds as long as the card has not changed since it was read. `version` and `revision` are not enough: a renewal or an unpublishing
 * changes neither.
 */
export const unchangedGuard = ({ version, revision, publicCardSha256, sdJwt, releaseNumber, unpublished }: Card): Guard<Card> => ({
  version,
  revision,
  publicCardSha256,
  sdJwt: sdJwt ?? null,
  releaseNumber,
  unpublished: unpublished ?? null,
})

/** The public version of the card that follows `previous`. */
export const nextVersion = (previous: Card | undefined, revisionOf: Card | undefined): number =>
  revisionOf?.version ?? (previous?.version ?? 0) + 1

type Parts = Pick<Card, 'connection' | 'skills'>
type Models = Pick<CardContent, 'publicModel' | 'fullModel'>

/**
 * The parts that introductions pin: the connection (interfaces and security) as one part, and each skill. An unchanged part keeps its
 * version.
 */
function partsOf({ publicModel, fullModel }: Models, previous: Parts | undefined, random: Pick<Random, 'token'>): Parts {
  const { securitySchemes, securityRequirements } = fullModel
  const supportedInterfaces = interfacesOf({ publicModel, fullModel })
  const previousSkill = (id: string) => previous?.skills.find((skill) => skill.id === id)
  const part = (content: unknown, previousPart: PinnedPart | undefined): PinnedPart => {
    const digest = digestOfJson(content)
    return previousPart?.digest === digest ? { ver: previousPart.ver, digest } : { ver: newHandle(random, 'ver'), digest }
  }
  return {
    connection: part({ supportedInterfaces, securitySchemes, securityRequirements }, previous?.connection),
    skills: fullModel.skills.map((skill) => ({ id: skill.id, ...part(skill, previousSkill(skill.id)) })),
  }
}

/**
 * The public interfaces in their order, because the first is preferred, then the non-public ones sorted by digest, because their order
 * differs from one SD-JWT to the next.
 */
function interfacesOf({ publicModel, fullModel }: Models): readonly unknown[] {
  const publicDigests = new Set(publicModel.supportedInterfaces.map(digestOfJson))
  const nonPublic = fullModel.supportedInterfaces
    .map((content) => ({ content, digest: digestOfJson(content) }))
    .filter(({ digest }) => !publicDigests.has(digest))
    .sort((a, b) => (a.digest < b.digest ? -1 : 1))
  return [...publicModel.supportedInterfaces, ...nonPublic.map(({ content }) => content)]
}

/**
 * The parts whose versions the next card may keep. There are none without a published card, nor when an unsigned card follows a
 * signed one: no key then vouches for the parts that introductions pinned.
 */
const reusableParts = (previous: Card | undefined, isSigned: boolean): Parts | undefined =>
  previous === undefined || previous.unpublished || (previous.signer !== undefined && !isSigned) ? undefined : previous

/**
 * The versions that end when `next` replaces `previous`; all parts end when `next` is undefined.
 * An introduction that pins any part also pins the connection, so a new connection ends only that one version.
 */
export function endedVersions(previous: Parts, next: Parts | undefined): Handle[] {
  if (next?.connection.ver !== previous.connection.ver) return [previous.connection.ver]
  const current = new Set(next.skills.map(({ ver }) => ver))
  return previous.skills.map(({ ver }) => ver).filter((ver) => !current.has(ver))
}

/**
 * Adds random versions to the ended ones, so that the public log does not show how many non-public parts a card has.
 * The result has a power of two of versions, at least 16, and always contains at least one decoy. It is empty when nothing ended.
 */
export function padWithDecoys(ended: readonly Handle[], random: Pick<Random, 'token'>): Handle[] {
  if (ended.length === 0) return []
  const size = Math.max(16, 2 ** Math.ceil(Math.log2(ended.length + 1)))
  return [...ended, ...Array.from({ length: size - ended.length }, () => newHandle(random, 'ver'))].sort()
}

const MAX_SCOPES = 256

/**
 * The scopes of all OAuth2 schemes that the card declares, sorted. Invalid scope names (RFC 6749 §3.3) and scopes beyond the first
 * MAX_SCOPES are left out.
 */
export function scopesOf({ securitySchemes }: CardModel): Scope[] {
  const names = Object.values(securitySchemes).flatMap(({ oauth2SecurityScheme }) =>
    Object.values(oauth2SecurityScheme?.flows ?? {}).flatMap((flow) => Object.keys(flow?.scopes ?? {})),
  )
  const scopes = [...new Set(names)].map((name) => Scope.safeParse(name)).flatMap((parsed) => (parsed.success ? [parsed.data] : []))
  return scopes.sort().slice(0, MAX_SCOPES)
}
