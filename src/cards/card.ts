import { digestOfJson, digestOfText } from '../credentials/digest.js'
import type { Enrolment } from '../enrolments/store.js'
import type { Random } from '../lib/random.js'
import type { CardModel } from '../protocol/card-model.js'
import type { Verdict } from '../protocol/card-view.js'
import { type Handle, newHandle } from '../protocol/handles.js'
import type { AgentId, OrgId } from '../protocol/ids.js'
import { Scope } from '../protocol/rights.js'
import type { Card } from './store.js'

/** What publishing, or importing, a card has found out. */
export interface CardContent {
  readonly agentId: AgentId
  readonly orgId: OrgId
  /** The current card, and the same where its content is this one: then it is no new version. */
  readonly before: Card | undefined
  readonly same: Card | undefined
  readonly c0: string
  readonly cardSha256: string
  /** What everybody sees, and that with the hidden parts. */
  readonly model: CardModel
  readonly whole: CardModel
  readonly hiding: Pick<Card, 'sdJwt' | 'releasePolicy' | 'releaseNumber' | 'expiresAt'>
  readonly verdict: Verdict
  readonly signer: Enrolment | undefined
}

/** The card that follows `before`. */
export function newCard({ random, now }: { readonly random: Pick<Random, 'token'>; readonly now: number }, content: CardContent): Card {
  const { agentId, orgId, before, same, c0, cardSha256, model, whole, hiding, verdict, signer } = content
  const endpoint = endpointOf(model)
  return {
    agentId,
    orgId,
    version: versionAfter(before, same),
    revision: same ? same.revision + 1 : 0,
    c0,
    c0Sha256: digestOfText(c0),
    cardSha256,
    ...hiding,
    verdict,
    ...(signer && { signer: { enrolmentId: signer.id, handle: signer.handle, owner: signer.owner } }),
    ...partsOf(whole, before?.unpublished ? undefined : before, random),
    ...(endpoint !== undefined && { endpoint }),
    scopes: scopesOf(model),
    allScopes: scopesOf(whole),
    publishedAt: same?.publishedAt ?? now,
  }
}

/** The public version that a card will have. */
export const versionAfter = (before: Card | undefined, same: Card | undefined): number => same?.version ?? (before?.version ?? 0) + 1

type Parts = Pick<Card, 'core' | 'skills'>

/** What callers rely on: endpoint and security together, and each skill. A part that says the same keeps its version. */
function partsOf(model: CardModel, before: Parts | undefined, random: Pick<Random, 'token'>): Parts {
  const { supportedInterfaces, securitySchemes, securityRequirements } = model
  const part = (content: unknown, known: { readonly ver: Handle; readonly digest: string } | undefined) => {
    const digest = digestOfJson(content)
    return known?.digest === digest ? { ver: known.ver, digest } : { ver: newHandle(random, 'ver'), digest }
  }
  return {
    core: part({ supportedInterfaces, securitySchemes, securityRequirements }, before?.core),
    skills: model.skills.map((skill) => ({
      id: skill.id,
      ...part(
        skill,
        before?.skills.find((one) => one.id === skill.id),
      ),
    })),
  }
}

/** The versions that are not among those of `after`. */
export function versionsOnlyIn(before: Parts, after: Parts | undefined): Handle[] {
  const kept = new Set(after ? versionsOf(after) : [])
  return versionsOf(before).filter((ver) => !kept.has(ver))
}

/** Every version that callers may rely on. */
export const versionsOf = ({ core, skills }: Parts): Handle[] => [core.ver, ...skills.map(({ ver }) => ver)]

/** Scopes of every OAuth2 scheme that the card declares. What is no scope (RFC 6749 §3.3) is passed over. */
export function scopesOf({ securitySchemes }: CardModel): Scope[] {
  const names = Object.values(securitySchemes).flatMap(({ oauth2SecurityScheme }) =>
    Object.values(oauth2SecurityScheme?.flows ?? {}).flatMap((flow) => Object.keys(flow?.scopes ?? {})),
  )
  const scopes = [...new Set(names)].map((name) => Scope.safeParse(name)).flatMap((parsed) => (parsed.success ? [parsed.data] : []))
  return scopes.sort().slice(0, 256)
}

const endpointOf = (model: CardModel): string | undefined => model.supportedInterfaces[0]?.url
