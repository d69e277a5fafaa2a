import { DamagedStore } from '../../errors.js'
import { storedJson } from '../stored-json.js'
import type { CardSummary } from './port.js'

/** Parses a stored summary. If it is damaged, calls `onDamage` and returns undefined: one damaged card must not make every search fail. */
export function readSummary(text: string, cardId: string, onDamage: (text: string) => void): CardSummary | undefined {
  try {
    return storedJson<CardSummary>(text, `the search row of card ${cardId}`)
  } catch (error) {
    if (!(error instanceof DamagedStore)) throw error
    onDamage(error.message)
    return undefined
  }
}
