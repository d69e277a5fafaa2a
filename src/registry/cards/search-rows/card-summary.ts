// The part of a search hit that comes from the card, at one tier. It is built when the card is published and stored with the search row, so
// that a search reads no cards. Each member has a limit, which bounds the size of a page; longer content is cut off.
import { shortened } from '../../../lib/text.js'
import type { CardModel } from '../../../protocol/cards/card-model.js'
import type { CardSummary, CardTier } from '../../../storage/storage.js'
import type { Card } from '../card-record.js'
import { deprecationOf } from '../view.js'

const MAX_TEXT_CHARACTERS = 2048
const MAX_SKILLS_CHARACTERS = 8192

export function summaryOf(card: Card, tier: CardTier, model: CardModel): CardSummary {
  const { skills } = model
  return {
    orgId: card.orgId,
    ...(card.endpoint !== undefined && { endpoint: card.endpoint }),
    ...(card.namespace && { namespace: card.namespace }),
    scopes: tier === 'introduced' ? card.allScopes : card.scopes,
    verdict: card.verdict,
    ...(card.signer && { signer: { handle: card.signer.handle } }),
    ...(card.expiresAt !== undefined && { expiresAt: card.expiresAt }),
    ...(card.deprecated && { deprecated: deprecationOf(card.deprecated) }),
    versions: [card.versions.connection, card.versions[tier]],
    text: { name: textOf(model.name), description: textOf(model.description), version: textOf(model.version) },
    skills: takeWithin(
      skills.map(({ id, name, tags }) => ({ id, name, tags })),
      MAX_SKILLS_CHARACTERS,
      (skill) => JSON.stringify(skill).length,
    ),
  }
}

/** The first items whose sizes add up to at most `maxSize`. */
function takeWithin<T>(all: readonly T[], maxSize: number, sizeOf: (item: T) => number): T[] {
  let size = 0
  const end = all.findIndex((item) => {
    size += sizeOf(item)
    return size > maxSize
  })
  return all.slice(0, end === -1 ? all.length : end)
}

const textOf = (text: string): string => shortened(text, MAX_TEXT_CHARACTERS)
