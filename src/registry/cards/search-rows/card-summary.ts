// The part of a search hit that comes from the card, at one tier. It is built when the card is published and stored with the search row, so
// that a search reads no cards. Each member has a limit, which bounds the size of a page; longer content is cut off.
import { shortened } from '../../../lib/text.js'
import type { CardModel } from '../../../protocol/cards/card-model.js'
import type { CardSummary, CardTier } from '../../../storage/storage.js'
import type { Card } from '../card-record.js'
import { deprecationOf } from '../view.js'

const MAX_TEXT_CHARACTERS = 2048
const MAX_SKILLS_CHARACTERS = 8192
/** ARD 0.91 §4.2: an entry has two to five queries, or none. */
const MIN_QUERIES = 2
const MAX_QUERIES = 5
const MAX_QUERY_LENGTH = 512

export function summaryOf(card: Card, tier: CardTier, model: CardModel): CardSummary {
  const { skills } = model
  return {
    orgId: card.orgId,
    ...(card.endpoint !== undefined && { endpoint: card.endpoint }),
    ...(card.namespace && { namespace: card.namespace }),
    scopes: tier === 'introduced' ? card.allScopes : card.scopes,
    verdict: card.verdict,
    ...(card.signer && { signer: { handle: card.signer.handle } }),
    ...(card.expiresAt !== undefined && { expiresAt: card.expiresAt }),
    ...(card.deprecated && { deprecated: deprecationOf(card.deprecated) }),
    versions: [card.versions.connection, card.versions[tier]],
    text: { name: textOf(model.name), description: textOf(model.description), version: textOf(model.version) },
    skills: takeWithin(
      skills.map(({ id, name, tags }) => ({ id, name, tags })),
      MAX_SKILLS_CHARACTERS,
      (skill) => JSON.stringify(skill).length,
    ),
    ...(tier === 'public' && {
      catalog: { sha256: card.publicCardSha256, publishedAt: card.publishedAt, queries: representativeQueries(skills) },
    }),
  }
}

/** The publisher's own examples of requests; the names of the skills if there are fewer than two. */
function representativeQueries(skills: CardModel['skills']): string[] {
  const examples = skills.flatMap((skill) => skill.examples).filter((example) => example.length <= MAX_QUERY_LENGTH)
  const queries = [...new Set([...examples, ...(examples.length < MIN_QUERIES ? skills.map(({ name }) => name) : [])])]
  return queries.length < MIN_QUERIES ? [] : queries.slice(0, MAX_QUERIES)
}

/** The first items whose sizes add up to at most `maxSize`. */
function takeWithin<T>(all: readonly T[], maxSize: number, sizeOf: (item: T) => number): T[] {
  let size = 0
  const end = all.findIndex((item) => {
    size += sizeOf(item)
    return size > maxSize
  })
  return all.slice(0, end === -1 ? all.length : end)
}

const textOf = (text: string): string => shortened(text, MAX_TEXT_CHARACTERS)
