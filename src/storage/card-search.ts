// What card search looks at of a row, the same in every store: so they find the same cards.
import type { CardQuery, CardRow } from './storage.js'

/** The texts in which words are looked for, and what a match in each weighs. */
export const CARD_WEIGHTS = { name: 8, tags: 4, skills: 4, description: 1 } as const
export type CardTexts = { readonly [T in keyof typeof CARD_WEIGHTS]: string }

/** Scores leave as whole numbers, so that they order the same in a store, in JSON and in a cursor. */
export const SCORE_UNIT = 1e9

export const textsOf = ({ name, tags, skills, skillText, description }: CardRow): CardTexts => ({
  name,
  tags: tags.join('\n'),
  skills: `${skills.join('\n')}\n${skillText}`,
  description,
})

/** Tags and skills, whole and with their case: of a row, and those that a query demands. */
export const termsOf = ({ tags, skills }: Pick<CardRow, 'tags' | 'skills'>): string[] => [...tags.map(tagTerm), ...skills.map(skillTerm)]
export const termsAsked = ({ tags, skill }: Pick<CardQuery, 'tags' | 'skill'>): string[] =>
  termsOf({ tags, skills: skill === undefined ? [] : [skill] })

const tagTerm = (tag: string): string => `tag ${tag}`
const skillTerm = (skill: string): string => `skill ${skill}`
