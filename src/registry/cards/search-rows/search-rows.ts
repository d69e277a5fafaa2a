import type { CardModel } from '../../../protocol/cards/card-model.js'
import { CARD_TIERS, type CardRow, type CardTier } from '../../../storage/storage.js'
import type { Card } from '../card-record.js'
import { modelsOf } from '../publishing/compose.js'
import { summaryOf } from './card-summary.js'

/**
 * Makes one search row for each tier, from the parts of the card that the tier may see.
 * A tier has no row when its parts alone are not a valid card.
 */
export function rowsOf(card: Card): CardRow[] {
  const models = modelsOf(card)
  return CARD_TIERS.flatMap((tier) => {
    const model = models[tier]
    return model === undefined ? [] : [rowOf(card, tier, model)]
  })
}

function rowOf(card: Card, tier: CardTier, model: CardModel): CardRow {
  const { agentId, orgId, publishedAt, verdict, namespace } = card
  const { skills, supportedInterfaces, capabilities } = model
  return {
    cardId: agentId,
    tier,
    texts: {
      name: [model.name],
      skills: skills.flatMap(({ id, name }) => [name, id]),
      tags: skills.flatMap(({ tags }) => tags),
      examples: skills.flatMap(({ description, examples }) => [description, ...examples]),
      description: [model.description, ...(model.provider ? [model.provider.organization] : [])],
    },
    properties: {
      skill: skills.map(({ id }) => id),
      tag: skills.flatMap(({ tags }) => tags),
      organisation: [orgId],
      namespace: [namespace?.name ?? NO_NAMESPACE],
      verdict: [namespace && verdict.state === 'signed' ? 'verified' : verdict.state],
      mode: [
        ...model.defaultInputModes,
        ...model.defaultOutputModes,
        ...skills.flatMap((skill) => [...skill.inputModes, ...skill.outputModes]),
      ],
      binding: supportedInterfaces.map(({ protocolBinding }) => protocolBinding),
      capability: CAPABILITIES.filter((name) => capabilities[name] === true),
      extension: capabilities.extensions.map(({ uri }) => uri),
      protocolVersion: supportedInterfaces.map(({ protocolVersion }) => protocolVersion),
    },
    updatedAt: publishedAt,
    ...(verdict.state === 'nonconformant' && { isNonconformant: true }),
    summary: summaryOf(card, tier, model),
  }
}

/** The value of a card without a namespace, by which searches can ask for such cards. */
export const NO_NAMESPACE = ''

const CAPABILITIES = ['streaming', 'pushNotifications', 'extendedAgentCard'] as const
