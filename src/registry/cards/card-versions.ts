// The version handles of a card: one per tier, and one of the connection (interfaces and security).
import type { Random } from '../../lib/random.js'
import { type Handle, newHandle } from '../../protocol/handles.js'
import type { Card } from './card-record.js'
import { type CardDocuments, VIEW_TIERS } from './publishing/compose.js'
import { connectionLosses, offerLosses, relianceIn } from './reliance/reliance.js'

/**
 * The versions of `next`: those of `previous`, except where `next` takes something away. Nothing carries over without a published card, nor when
 * an unsigned card follows a signed one: no key then vouches for what callers relied on.
 */
export function carriedOver(
  previous: Card | undefined,
  next: NewContent,
  random: Pick<Random, 'token'>,
): Pick<Card, 'versions' | 'publication' | 'yankedVersions'> {
  const fresh = () => newHandle(random, 'ver')
  const isContinued = previous !== undefined && !previous.unpublished && (previous.signer === undefined || next.signer !== undefined)
  if (!isContinued)
    return {
      versions: { connection: fresh(), public: fresh(), authenticated: fresh(), introduced: fresh() },
      publication: random.token(8),
    }
  const { versions, publication, yankedVersions } = previous
  const [before, after] = [relianceIn(previous), relianceIn(next)]
  const changes = VIEW_TIERS.map((tier) => ({
    tier,
    connection: connectionLosses(before[tier], after[tier]).length > 0,
    offer: offerLosses(before[tier], after[tier]).length > 0,
  }))
  const reduced = changes.filter(({ offer }) => offer).map(({ tier }) => tier)
  const isConnectionNew = changes.some(({ connection }) => connection) || reduced.length > 1
  return {
    versions: {
      ...versions,
      ...(isConnectionNew && { connection: fresh() }),
      ...Object.fromEntries(reduced.map((tier) => [tier, fresh()])),
    },
    publication,
    ...(yankedVersions && { yankedVersions }),
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
