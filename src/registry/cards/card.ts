import { digestOfJson, digestOfText } from '../../credentials/jose/digest.js'
import type { RegisteredKey } from '../../identity/keys/store.js'
import type { Random } from '../../lib/random.js'
import type { CardModel } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import { Scope } from '../../protocol/rights.js'
import type { Guard } from '../../storage/storage.js'
import type { Card } from './card-record.js'

/** What publishing, or importing, a card has found out. */
export interface CardContent {
  readonly agentId: AgentId
  readonly orgId: OrgId
  /** The current card, and the same where its content is this one: then it is no new version. */
  readonly before: Card | undefined
  readonly same: Card | undefined
  readonly publicCard: string
  readonly cardSha256: string
  /** What everybody sees, and that with the hidden parts. */
  readonly model: CardModel
  readonly whole: CardModel
  readonly hiding: Pick<Card, 'sdJwt' | 'releasePolicy' | 'releaseNumber' | 'expiresAt'>
  readonly verdict: Verdict
  readonly signer: RegisteredKey | undefined
}

/** The card that follows `before`. */
export function newCard({ random, now }: { readonly random: Pick<Random, 'token'>; readonly now: number }, content: CardContent): Card {
  const { agentId, orgId, before, same, publicCard, cardSha256, model, whole, hiding, verdict, signer } = content
  const endpoint = endpointOf(model)
  return {
    agentId,
    orgId,
    version: versionAfter(before, same),
    revision: same ? same.revision + 1 : 0,
    publicCard: publicCard,
    publicCardSha256: digestOfText(publicCard),
    cardSha256,
    ...hiding,
    verdict,
    ...(signer && { signer: { keyId: signer.id, handle: signer.handle, owner: signer.owner } }),
    ...partsOf({ model, whole }, partsBefore(before, signer !== undefined), random),
    ...(endpoint !== undefined && { endpoint }),
    scopes: scopesOf(model),
    allScopes: scopesOf(whole),
    publishedAt: same?.publishedAt ?? now,
  }
}

/**
 * What a change was decided on: where one of these is another, somebody was first. Versions alone do not say so: who unpublishes raises none,
 * nor who renews.
 */
export const asRead = ({ version, revision, publicCardSha256, sdJwt, releaseNumber, unpublished }: Card): Guard<Card> => ({
  version,
  revision,
  publicCardSha256,
  sdJwt: sdJwt ?? null,
  releaseNumber,
  unpublished: unpublished ?? null,
})

/** The public version that a card will have. */
export const versionAfter = (before: Card | undefined, same: Card | undefined): number => same?.version ?? (before?.version ?? 0) + 1

type Parts = Pick<Card, 'core' | 'skills'>
type Models = Pick<CardContent, 'model' | 'whole'>

/** What callers rely on: endpoint and security together, and each skill. A part that says the same keeps its version. */
function partsOf({ model, whole }: Models, before: Parts | undefined, random: Pick<Random, 'token'>): Parts {
  const { securitySchemes, securityRequirements } = whole
  const supportedInterfaces = interfacesOf({ model, whole })
  const part = (content: unknown, known: { readonly ver: Handle; readonly digest: string } | undefined) => {
    const digest = digestOfJson(content)
    return known?.digest === digest ? { ver: known.ver, digest } : { ver: newHandle(random, 'ver'), digest }
  }
  return {
    core: part({ supportedInterfaces, securitySchemes, securityRequirements }, before?.core),
    skills: whole.skills.map((skill) => ({
      id: skill.id,
      ...part(
        skill,
        before?.skills.find((one) => one.id === skill.id),
      ),
    })),
  }
}

/** Those that everybody sees in their order, the first of which is preferred; then the hidden ones, whose order is another in every SD-JWT. */
function interfacesOf({ model, whole }: Models): readonly unknown[] {
  const seen = new Set(model.supportedInterfaces.map(digestOfJson))
  const hidden = whole.supportedInterfaces.map((one) => ({ one, digest: digestOfJson(one) })).filter(({ digest }) => !seen.has(digest))
  return [...model.supportedInterfaces, ...hidden.sort((a, b) => (a.digest < b.digest ? -1 : 1)).map(({ one }) => one)]
}

/**
 * The parts whose versions the next card may keep: none where there is no card, or where nobody signs any longer what somebody had
 * signed, for then nobody vouches for what callers relied on.
 */
const partsBefore = (before: Card | undefined, isSigned: boolean): Parts | undefined =>
  before === undefined || before.unpublished || (before.signer !== undefined && !isSigned) ? undefined : before

/** What ends when `after` follows. Whoever relies on anything in a card relies on its core: where that ends, nothing else need. */
export function endedBy(before: Parts, after: Parts | undefined): Handle[] {
  if (after?.core.ver !== before.core.ver) return [before.core.ver]
  const kept = new Set(after.skills.map(({ ver }) => ver))
  return before.skills.map(({ ver }) => ver).filter((ver) => !kept.has(ver))
}

/**
 * The log is public and some of these parts are not: versions that never were are among them, up to a power of two, at least 16 and
 * always more than the real ones.
 */
export function padWithDecoys(ended: readonly Handle[], random: Pick<Random, 'token'>): Handle[] {
  if (ended.length === 0) return []
  const size = Math.max(16, 2 ** Math.ceil(Math.log2(ended.length + 1)))
  return [...ended, ...Array.from({ length: size - ended.length }, () => newHandle(random, 'ver'))].sort()
}

/** Scopes of every OAuth2 scheme that the card declares. What is no scope (RFC 6749 §3.3) is passed over. */
export function scopesOf({ securitySchemes }: CardModel): Scope[] {
  const names = Object.values(securitySchemes).flatMap(({ oauth2SecurityScheme }) =>
    Object.values(oauth2SecurityScheme?.flows ?? {}).flatMap((flow) => Object.keys(flow?.scopes ?? {})),
  )
  const scopes = [...new Set(names)].map((name) => Scope.safeParse(name)).flatMap((parsed) => (parsed.success ? [parsed.data] : []))
  return scopes.sort().slice(0, 256)
}

const endpointOf = (model: CardModel): string | undefined => model.supportedInterfaces[0]?.url
