import type { CardModel } from '../../../protocol/cards/card-model.js'
import { CARD_TIERS, type CardRow, type CardTier } from '../../../storage/storage.js'
import type { Card } from '../card-record.js'
import { modelAt } from '../publishing/compose.js'
import { summaryOf } from './card-summary.js'

/**
 * One search row for each tier, made from the parts of the card that the tier may see.
 * A tier has no row when its parts alone are not a valid card.
 */
export function rowsOf(card: Card): CardRow[] {
  const modelFor = (tier: CardTier) => modelAt(card, tier)
  // Without an SD-JWT, every tier sees the public card.
  const publicModel = card.sdJwt === undefined ? modelFor('public') : undefined
  return CARD_TIERS.flatMap((tier) => {
    const model = publicModel ?? modelFor(tier)
    return model === undefined ? [] : [rowOf(card, tier, model)]
  })
}

function rowOf(card: Card, tier: CardTier, model: CardModel): CardRow {
  const { agentId, orgId, publishedAt } = card
  return {
    cardId: agentId,
    tier,
    orgId,
    name: model.name,
    description: model.description,
    skillText: model.skills.map((skill) => [skill.name, skill.description, ...skill.examples].join('\n')).join('\n'),
    skills: model.skills.map(({ id }) => id),
    tags: [...new Set(model.skills.flatMap(({ tags }) => tags))],
    modes: [...new Set([...model.defaultInputModes, ...model.defaultOutputModes])],
    updatedAt: publishedAt,
    ...(card.verdict.state === 'nonconformant' && { isNonconformant: true }),
    summary: summaryOf(card, tier, model),
  }
}
