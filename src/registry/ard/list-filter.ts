import { z } from 'zod'
import { refuse } from '../../errors.js'
import type { Filter } from './requests.js'

const CLAUSE = /\s*([A-Za-z][\w.]*)\s*([=>])\s*(?:'([^']*)'|"([^"]*)"|([^\s'",]+(?:,[^\s'",]+)*))\s*(AND\s|$)/iy

interface ListFilter {
  readonly members: Filter
  /** Epoch seconds: only entries from then on. */
  readonly publishedSince?: number
}

/**
 * Reads the filter of a list, such as `type = 'a,b' AND updatedAfter = '2026-01-31'`. A value lists alternatives, separated by commas.
 *
 * @see ARD 0.91 Appendix A
 */
export function parseListFilter(text: string | undefined): ListFilter {
  if (text === undefined) return { members: {} }
  const clauses = new Map<string, string>()
  CLAUSE.lastIndex = 0
  for (let isComplete = false; !isComplete; ) {
    const match = CLAUSE.exec(text)
    if (!match) return invalid("expected <field> = '<value>', joined by AND")
    const [, name = '', operator, single, double, bare, joint = ''] = match
    const field = FIELDS.get(name) ?? name
    if (clauses.has(field)) return invalid(`${name} stands there twice`)
    if (operator === '>' && field !== UPDATED_AFTER) return invalid(`only ${UPDATED_AFTER} is compared by >`)
    clauses.set(field, single ?? double ?? bare ?? '')
    isComplete = joint === ''
  }
  const updatedAfter = clauses.get(UPDATED_AFTER)
  clauses.delete(UPDATED_AFTER)
  const members = Object.fromEntries([...clauses].map(([field, value]) => [field, alternatives(field, value)]))
  return { members, ...(updatedAfter !== undefined && { publishedSince: secondAfter(updatedAfter) }) }
}

const UPDATED_AFTER = 'updatedAfter'
/** The filters of Appendix A whose name is not that of the entry's member. */
const FIELDS: ReadonlyMap<string, string> = new Map([['publisherId', 'publisher']])
const Iso8601 = z.union([z.iso.date(), z.iso.datetime({ offset: true })])

function alternatives(field: string, value: string): string[] {
  const values = value.split(',').map((one) => one.trim())
  return values.includes('') ? invalid(`${field} has an empty value`) : values
}

const secondAfter = (text: string): number =>
  Iso8601.safeParse(text).success ? Math.floor(Date.parse(text) / 1000) + 1 : invalid(`${UPDATED_AFTER} is no ISO 8601 date or time`)

const invalid = (hint: string): never => refuse('bad_input', `filter: ${hint}`, { faults: [{ pointer: '/filter', hint }] })
