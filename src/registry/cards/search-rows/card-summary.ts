// What search shows of a card at one tier. It is made once, when the card is published, and kept with the search rows: a search reads
// it as it is. So it is bounded: a page of it must cost little, whatever publishers wrote.
import { wordsIn } from '../../../lib/words.js'
import type { CardModel } from '../../../protocol/cards/card-model.js'
import type { CardSummary, CardTier } from '../../../storage/storage.js'
import type { Card } from '../card-record.js'

const MAX_TEXT = 2048
const MAX_SKILL_BYTES = 8192
const MAX_WORD_BYTES = 8192

export function summaryOf(card: Card, tier: CardTier, model: CardModel): CardSummary {
  const { skills } = model
  return {
    orgId: card.orgId,
    ...(card.endpoint !== undefined && { endpoint: card.endpoint }),
    scopes: tier === 'introduced' ? card.allScopes : card.scopes,
    verdict: card.verdict,
    ...(card.signer && { signer: { handle: card.signer.handle } }),
    ...(card.expiresAt !== undefined && { expiresAt: card.expiresAt }),
    versions: [card.core.ver, ...card.skills.map(({ ver }) => ver)],
    text: { name: shortened(model.name), description: shortened(model.description), version: shortened(model.version) },
    skills: fitting(
      skills.map(({ id, name, tags }) => ({ id, name, tags })),
      MAX_SKILL_BYTES,
      (skill) => JSON.stringify(skill).length,
    ),
    words: {
      name: wordList([model.name]),
      tags: wordList(skills.flatMap(({ tags }) => tags)),
      skills: wordList(skills.flatMap(({ id, name, description, examples }) => [id, name, description, ...examples])),
      description: wordList([model.description]),
    },
  }
}

/** Whether one of the words (of `wordsIn`) stands in the list. */
export const holdsWord = (list: string, words: readonly string[]): boolean => words.some((word) => list.includes(`\n${word}\n`))

/** Each word once, between line ends. */
function wordList(texts: readonly string[]): string {
  const words = new Set(texts.flatMap(wordsIn))
  return `\n${fitting([...words], MAX_WORD_BYTES, (word) => word.length + 1).join('\n')}\n`
}

/** The first of them, so many as fit. */
function fitting<T>(all: readonly T[], maxBytes: number, sizeOf: (one: T) => number): T[] {
  let bytes = 0
  const end = all.findIndex((one) => {
    bytes += sizeOf(one)
    return bytes > maxBytes
  })
  return all.slice(0, end === -1 ? all.length : end)
}

/** Never ends within a character. */
const shortened = (text: string): string => (text.length <= MAX_TEXT ? text : text.slice(0, MAX_TEXT).replace(/[\uD800-\uDBFF]$/, ''))
