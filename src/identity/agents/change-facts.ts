import { shortened } from '../../lib/text.js'
import { type Ceiling, type CeilingRight, nameOfRight } from '../../protocol/rights.js'
import type { Agent } from './store.js'

/** Maximum length of a fact of an audit row. */
const MAX_FACT = 512

const FIELDS = [
  'name',
  'description',
  'agentType',
  'maxScopeLevel',
  'ceiling',
  'introductionPolicy',
  'understands',
  'redirectUris',
] as const satisfies readonly (keyof Agent)[]

/** What a change of an agent has changed, for its audit row: the names of the fields, and the rights and bounds of the ceiling. */
export function factsOfChange(before: Agent, after: Agent): Readonly<Record<string, string>> {
  const changed = FIELDS.filter((name) => textOf(before[name]) !== textOf(after[name])).join(' ')
  const facts = Object.entries({ changed, ...factsOfCeiling(before.ceiling, after.ceiling), ...factsOfModes(before, after) })
  return Object.fromEntries(facts.filter(([, text]) => text !== '').map(([name, text]) => [name, shortened(text, MAX_FACT)]))
}

function factsOfCeiling(before: Ceiling, after: Ceiling): Readonly<Record<string, string>> {
  const bounds = (['tools', 'resources', 'tokenSeconds', 'delegationDepth'] as const).flatMap((name) => {
    const [old, next] = [before[name] ?? 'any', after[name] ?? 'any'].map((value) => (Array.isArray(value) ? value.join(' ') : `${value}`))
    return old === next ? [] : [[name, `${old} → ${next}`] as const]
  })
  return { added: rightsBeside(after, before), removed: rightsBeside(before, after), ...Object.fromEntries(bounds) }
}

const factsOfModes = (before: Agent, after: Agent): Readonly<Record<string, string>> => {
  const [old, next] = [before.introductionPolicy.mode, after.introductionPolicy.mode]
  return old === next ? {} : { introductions: `${old} → ${next}` }
}

/** The rights of one ceiling that the other does not have. */
function rightsBeside({ rights }: Ceiling, { rights: others }: Ceiling): string {
  const known = new Set(others.map(nameOfRight))
  return rights
    .filter((right) => !known.has(nameOfRight(right)))
    .map(textOfRight)
    .join(', ')
}

const textOfRight = ({ audience, scope }: CeilingRight): string =>
  `${scope} at ${typeof audience === 'string' ? audience : 'anyAgent' in audience ? 'any agent' : audience.organisation}`

const textOf = (value: Agent[(typeof FIELDS)[number]]): string => JSON.stringify(value) ?? ''
