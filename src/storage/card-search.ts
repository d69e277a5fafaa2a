// The searchable text of a card row. All stores use it, so that they find the same cards.
import type { CardQuery, CardRow } from './storage.js'

/** The searched fields, each with the weight of a match in it. */
export const CARD_WEIGHTS = { name: 8, tags: 4, skills: 4, description: 1 } as const
export type CardTexts = { readonly [T in keyof typeof CARD_WEIGHTS]: string }

/** Scores are multiplied by this and rounded, so that they compare the same in the store, in JSON and in a cursor. */
export const SCORE_UNIT = 1e9

export const textsOf = ({ name, tags, skills, skillText, description }: CardRow): CardTexts => ({
  name,
  tags: tags.join('\n'),
  skills: `${skills.join('\n')}\n${skillText}`,
  description,
})

/** Tags and skill ids, which match as a whole and case-sensitively. */
export const termsOf = ({ tags, skills, isNonconformant }: Pick<CardRow, 'tags' | 'skills' | 'isNonconformant'>): string[] => [
  ...tags.map(tagTerm),
  ...skills.map(skillTerm),
  ...(isNonconformant ? [NONCONFORMANT] : []),
]
/** The term of the rows that a query without `includeNonconformant` does not find. */
export const NONCONFORMANT = 'nonconformant'
export const requestedTerms = ({ tags, skill }: Pick<CardQuery, 'tags' | 'skill'>): string[] =>
  termsOf({ tags, skills: skill === undefined ? [] : [skill] })

const tagTerm = (tag: string): string => `tag ${tag}`
const skillTerm = (skill: string): string => `skill ${skill}`
