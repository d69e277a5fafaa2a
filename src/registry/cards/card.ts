import { digestOfText } from '../../credentials/jose/digest.js'
import type { RegisteredKey } from '../../identity/keys/store.js'
import type { Random } from '../../lib/random.js'
import type { CardModel } from '../../protocol/cards/card-model.js'
import type { Verdict } from '../../protocol/cards/card-view.js'
import type { AgentId, OrgId } from '../../protocol/ids.js'
import type { Guard } from '../../storage/storage.js'
import type { Card } from './card-record.js'
import { carriedOver } from './card-versions.js'
import { endpointOf } from './publishing/public-urls.js'
import { scopesOf } from './reliance/reliance.js'

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
  /** The URL that an imported card was fetched from. */
  readonly source?: string | undefined
  /** The namespace that covers the endpoint. */
  readonly namespace: Card['namespace']
}

interface CardContext {
  readonly random: Pick<Random, 'token'>
  readonly now: number
  readonly dev: boolean
}

/** Makes the record that replaces `previous`. */
export function newCard({ random, now, dev }: CardContext, content: CardContent): Card {
  const {
    agentId,
    orgId,
    previous,
    revisionOf,
    publicCard,
    cardSha256,
    publicModel,
    fullModel,
    nonPublic,
    verdict,
    signer,
    namespace,
    source,
  } = content
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
    ...(source !== undefined && { source }),
    ...(signer && namespace && { namespace }),
    scopes: scopesOf(publicModel).slice(0, MAX_SCOPES),
    allScopes: scopesOf(fullModel).slice(0, MAX_SCOPES),
    publishedAt: revisionOf?.publishedAt ?? now,
    ...(revisionOf?.deprecated && { deprecated: revisionOf.deprecated }),
  }
  return { ...card, ...carriedOver(previous, card, random) }
}

/** The scopes that the record and search hits list; a card may have more. */
export const MAX_SCOPES = 256

/**
 * Holds as long as the card has not changed since it was read. `version` and `revision` are not enough: a renewal, a deprecation, a yank or an
 * unpublishing changes neither.
 */
export const unchangedGuard = ({
  version,
  revision,
  publicCardSha256,
  sdJwt,
  releaseNumber,
  unpublished,
  changeId,
}: Card): Guard<Card> => ({
  version,
  revision,
  publicCardSha256,
  sdJwt: sdJwt ?? null,
  releaseNumber,
  unpublished: unpublished ?? null,
  changeId: changeId ?? null,
})

/** The public version of the card that follows `previous`. */
export const nextVersion = (previous: Card | undefined, revisionOf: Card | undefined): number =>
  revisionOf?.version ?? (previous?.version ?? 0) + 1
