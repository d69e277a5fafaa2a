import type { z } from 'zod'
import type { Fault } from '../errors.js'
import { printable } from '../lib/io/printable.js'
import { pathOf, pointerOf } from '../lib/json-pointer.js'

/** Maximum number of faults in the structured detail; further ones are left out. */
const MAX_FAULTS = 32
/** Maximum number of faults in a one-line text; further ones are only in the structured detail. */
const MAX_FAULTS_IN_TEXT = 3

/** Converts zod issues to faults. A hint says what is expected and never quotes the value. */
export const faultsOf = (issues: readonly z.core.$ZodIssue[]): Fault[] =>
  issues.slice(0, MAX_FAULTS).map((issue) => ({ pointer: pointerOf(issue.path.map(String)), hint: hintOf(issue) }))

/** One line for people, such as `agentId: not an agent id (agt_ + 22 characters)`. */
export const textOfIssues = (issues: readonly z.core.$ZodIssue[]): string =>
  issues
    .slice(0, MAX_FAULTS_IN_TEXT)
    .map((issue) => (issue.path.length === 0 ? hintOf(issue) : `${issue.path.map(readableName).join('.')}: ${hintOf(issue)}`))
    .join('; ')

/** Member names come from the input, so anything but a plain name is quoted and cut to 64 characters. */
const readableName = (name: PropertyKey): string =>
  /^\w{1,64}$/.test(String(name)) ? String(name) : printable(JSON.stringify(String(name).slice(0, 64)))

/** The faults that are not in `text`, which is in the format of textOfIssues. */
export const faultsMissingIn = (text: string, faults: readonly Fault[]): Fault[] =>
  faults.filter(({ pointer, hint }) => {
    const path = (pathOf(pointer) ?? []).map(readableName).join('.')
    return !text.includes(path === '' ? hint : `${path}: ${hint}`)
  })

/** Matches messages that zod generates. A message from a schema begins in lower case and is used unchanged. */
const ZOD_MESSAGE = /^(Invalid|Too|Unrecognized) /

/** What is expected, without the value. A missing member is `required`. */
export function hintOf(issue: z.core.$ZodIssue): string {
  const { message } = issue
  if (!ZOD_MESSAGE.test(message) && message !== 'Invalid input') return message
  switch (issue.code) {
    case 'invalid_type':
      return message.endsWith('received undefined') ? 'required' : `must be ${ARTICLE[issue.expected] ?? issue.expected}`
    case 'too_big':
      return `must ${boundOf(issue.origin, 'at most', issue.maximum)}`
    case 'too_small':
      return `must ${boundOf(issue.origin, 'at least', issue.minimum)}`
    case 'unrecognized_keys':
      return `unknown member${issue.keys.length > 1 ? 's' : ''} ${issue.keys.slice(0, 8).map(readableName).join(', ')}`
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`
    case 'invalid_format':
      return 'not in the expected format'
    case 'invalid_key':
      return 'a member name is not in the expected format'
    default:
      return 'not a valid value'
  }
}

const ARTICLE: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  record: 'an object',
}

const UNIT: Readonly<Record<string, string>> = { string: 'character', array: 'element', record: 'member' }

function boundOf(origin: string, bound: 'at most' | 'at least', limit: number | bigint): string {
  const unit = UNIT[origin]
  return unit === undefined ? `be ${bound} ${limit}` : `have ${bound} ${limit} ${unit}${Number(limit) === 1 ? '' : 's'}`
}
