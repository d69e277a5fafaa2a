import type { A2aVersion, CardState } from '../../../protocol/cards/card-model.js'
import { CARD_RULES, type CardFault } from '../../../protocol/cards/card-rules.js'
import { checkCard, publishErrors } from './all-faults.js'

interface LintedFault extends CardFault {
  readonly publish: 'error' | 'warning'
  readonly import: 'error' | 'warning'
}

export interface CardLinted {
  readonly state: CardState
  readonly a2aVersion?: A2aVersion | undefined
  /** True if the card can be published once it is signed with a registered key. */
  readonly canPublish: boolean
  readonly canImport: boolean
  readonly faults: readonly LintedFault[]
  /** The number of further faults. */
  readonly moreFaults: number
}

/** Checks a card as `cards.publish` and `cards.import` do, without its signatures. Lists the first `maxFaults` faults. */
export function lintCard(card: string, { dev, maxFaults }: { readonly dev: boolean; readonly maxFaults: number }): CardLinted {
  const { state, version: a2aVersion, allFaults } = checkCard(card.replace(/^\ufeff/, ''), { dev })
  return {
    state,
    a2aVersion,
    canPublish: publishErrors(allFaults).length === 0,
    canImport: state !== 'refused',
    faults: allFaults.slice(0, maxFaults).map((fault) => ({ ...fault, ...severityOf(fault) })),
    moreFaults: Math.max(0, allFaults.length - maxFaults),
  }
}

function severityOf({ code }: CardFault): Pick<LintedFault, 'publish' | 'import'> {
  const { publish, import: importing } = CARD_RULES[code]
  return { publish, import: importing }
}
