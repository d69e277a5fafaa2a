import { refuse } from '../../errors.js'
import type { Filter } from './requests.js'

const CLAUSE = /\s*([A-Za-z][\w.]*)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^\s'",]+(?:,[^\s'",]+)*))\s*(AND\s|$)/iy
/** The name of a filter of Appendix A, where it differs from that of the entry's member. */
const FIELDS: Readonly<Record<string, string>> = { publisherId: 'publisher' }

/**
 * Reads the filter of a list, such as `type = 'a,b' AND tags = 'ocr'`. A value lists alternatives, separated by commas.
 *
 * @see ARD 0.91 Appendix A
 */
export function parseListFilter(text: string): Filter {
  const filter: Record<string, string[]> = {}
  CLAUSE.lastIndex = 0
  for (let isComplete = false; !isComplete; ) {
    const match = CLAUSE.exec(text)
    if (!match) return invalid("expected <field> = '<value>', joined by AND")
    const [, name = '', single, double, bare, joint = ''] = match
    const field = Object.hasOwn(FIELDS, name) ? (FIELDS[name] ?? name) : name
    if (Object.hasOwn(filter, field)) return invalid(`${name} stands there twice`)
    const values = (single ?? double ?? bare ?? '').split(',').map((value) => value.trim())
    if (values.includes('')) return invalid(`${name} has an empty value`)
    filter[field] = values
    isComplete = joint === ''
  }
  return filter
}

const invalid = (hint: string): never => refuse('bad_input', `filter: ${hint}`, { faults: [{ pointer: '/filter', hint }] })
