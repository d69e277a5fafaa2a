import type { FoundWord, Why } from '../../protocol/search.js'
import type { EntryRow } from './card-index.js'
import { fieldsIn, impactIn } from './entry.js'
import type { Plan } from './port.js'

/** Every row with exactly the name that was searched scores at least this. */
const EXACT_NAME = 0.9

/**
 * The score of a row from 0 to 1: the weighted mean of how well the row matches each word of the query, reduced by the share of words that it lacks.
 * It depends on the plan, the list of the searched name and this row alone. Another way to score, such as by an embedding of the texts, replaces this function.
 */
export function score({ words }: Plan, name: string, row: Pick<EntryRow, 'terms' | 'properties'>): number {
  let [matched, found, total] = [0, 0, 0]
  for (const { weight, terms } of words) {
    total += weight
    let best = 0
    for (const [term, factor] of terms) {
      // Terms are ordered by factor: no later one can match better
      if (factor <= best) break
      best = Math.max(best, factor * impactIn(row.terms, term))
    }
    matched += (weight * best) / 100
    if (best > 0) found += weight
  }
  if (found === 0 && !isNamed(name, row)) return 0
  const relevance = total === 0 ? 0 : (matched / total) * (found / total)
  return isNamed(name, row) ? EXACT_NAME + (1 - EXACT_NAME) * relevance : EXACT_NAME * relevance
}

const isNamed = (name: string, { properties }: Pick<EntryRow, 'properties'>): boolean => `\n${properties}\n`.includes(`\n${name}\n`)

export function whyOf({ words }: Plan, terms: string): Why {
  const found: FoundWord[] = []
  const missing: string[] = []
  for (const { word, terms: planned } of words) {
    const best = planned.find(([term]) => impactIn(terms, term) > 0)
    if (best === undefined) missing.push(word)
    else found.push({ word, fields: fieldsIn(terms, best[0]), ...(best[2] && { by: best[2] }) })
  }
  return { found, missing }
}
