import { type CardModel, readCardJson } from '../protocol/card-model.js'
import type { AgentId, OrgId } from '../protocol/ids.js'
import type { CardRow, CardTier } from '../storage/storage.js'
import { composeCard, type SentCard } from './compose.js'

export const CARD_TIERS: readonly CardTier[] = ['public', 'authenticated', 'introduced']

export interface CardOwner {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly publishedAt: number
}

/** One row a tier: the words that a caller of that tier may see, and no others. None where what a tier may see is no card by itself. */
export function rowsOf(card: SentCard & CardOwner): CardRow[] {
  return CARD_TIERS.flatMap((tier) => {
    const model = readCardJson(composeCard(card, tier).json).model
    return model === undefined ? [] : [rowOf(card, tier, model)]
  })
}

export function rowOf({ agentId, orgId, publishedAt }: CardOwner, tier: CardTier, model: CardModel): CardRow {
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
  }
}
