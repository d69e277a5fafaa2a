import { digestOfText } from '../../credentials/jose/digest.js'
import type { RegisteredKey } from '../../identity/keys/store.js'
import type { Random } from '../../lib/random.js'
import type { CardModel } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import type { Guard } from '../../storage/storage.js'
import type { Card } from './card-record.js'
import { type CardDocuments, VIEW_TIERS } from './publishing/compose.js'
import { endpointOf } from './publishing/public-urls.js'
import { connectionLosses, offerLosses, relianceAt, scopesOf } from './reliance/reliance.js'

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
  const card = {
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
    ...(endpoint !== undefined && { endpoint }),
    scopes: scopesOf(publicModel).slice(0, MAX_SCOPES),
    allScopes: scopesOf(fullModel).slice(0, MAX_SCOPES),
    publishedAt: revisionOf?.publishedAt ?? now,
  }
  return { ...card, ...carriedOver(previous, card, random) }
}

const MAX_SCOPES = 256

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

/**
 * The versions of `next`: those of `previous`, except where `next` takes something away. Nothing carries over without a published card, nor when
 * an unsigned card follows a signed one: no key then vouches for what callers relied on.
 */
function carriedOver(previous: Card | undefined, next: NewContent, random: Pick<Random, 'token'>): Pick<Card, 'versions' | 'publication'> {
  const fresh = () => newHandle(random, 'ver')
  const isContinued = previous !== undefined && !previous.unpublished && (previous.signer === undefined || next.signer !== undefined)
  if (!isContinued)
    return {
      versions: { connection: fresh(), public: fresh(), authenticated: fresh(), introduced: fresh() },
      publication: random.token(8),
    }
  const { versions, publication } = previous
  const changes = VIEW_TIERS.map((tier) => {
    const [before, after] = [relianceAt(previous, tier), relianceAt(next, tier)]
    return { tier, connection: connectionLosses(before, after).length > 0, offer: offerLosses(before, after).length > 0 }
  })
  const reduced = changes.filter(({ offer }) => offer).map(({ tier }) => tier)
  const isConnectionNew = changes.some(({ connection }) => connection) || reduced.length > 1
  return {
    versions: {
      ...versions,
      ...(isConnectionNew && { connection: fresh() }),
      ...Object.fromEntries(reduced.map((tier) => [tier, fresh()])),
    },
    publication,
  }
}

type NewContent = CardDocuments & Pick<Card, 'signer'>

/**
 * The version that ends when `next` replaces `previous`. It is only one, so the log does not show how many tiers a publication changes: all that
 * depends on a tier depends on the connection too, which is new where several tiers are.
 */
export function endedVersion({ versions }: Card, next: Card): Handle | undefined {
  const names = ['connection', ...VIEW_TIERS] as const
  const renewed = names.find((name) => next.versions[name] !== versions[name])
  return renewed && versions[renewed]
}
