import { composeCard } from '../cards/compose.js'
import { verdictNow } from '../cards/get.js'
import { rowOf } from '../cards/search-rows.js'
import type { Card } from '../cards/store.js'
import { readCardJson } from '../protocol/card-model.js'
import type { Verdict } from '../protocol/card-view.js'
import { type AgentId, type Audience, audienceOf, type OrgId } from '../protocol/ids.js'
import type { Scope } from '../protocol/rights.js'
import type { CardRow, CardTier } from '../storage/storage.js'
import type { ServedTrustLog } from '../trust-log/trust-log.js'

/** A found agent, with all that a call needs. */
export interface Hit {
  readonly agentId: AgentId
  readonly orgId: OrgId
  readonly audience: Audience
  readonly endpoint?: string
  readonly scopes: readonly Scope[]
  readonly verdict: Verdict
  readonly tier: CardTier
  /** Lower is better. */
  readonly score: number
  /** Why it was found by words: where they stand, what counts most first. */
  readonly relevance: readonly Field[]
  /** Prose and names by the publisher. */
  readonly text: { readonly name: string; readonly description: string; readonly version: string }
  readonly skills: readonly { readonly id: string; readonly name: string; readonly tags: readonly string[] }[]
}

export const FIELDS = ['name', 'tags', 'skills', 'description'] as const
export type Field = (typeof FIELDS)[number]

/** Where a hit was found. */
export interface FoundAt {
  readonly tier: CardTier
  readonly score: number
  readonly words: readonly string[]
  readonly now: number
}

const MAX_WORDS = 16
const NO_WORD = /[^\p{L}\p{N}]+/u

/** Words are taken literally; no operators, no wildcards. A text without any word finds nothing. */
export function wordsOf(text = ''): string[] {
  const words = text.split(NO_WORD).filter((word) => word !== '')
  return words.length > 0 || text.trim() === '' ? words.slice(0, MAX_WORDS) : [text]
}

/** The hit as its tier may see it: nothing of it comes from what another tier sees. */
export function hitOf(
  deps: { readonly trustLog: ServedTrustLog; readonly issuer: string },
  card: Card,
  { tier, score, words, now }: FoundAt,
): Hit | undefined {
  const model = readCardJson(composeCard(card, tier).json).model
  return (
    model && {
      agentId: card.agentId,
      orgId: card.orgId,
      audience: audienceOf(deps.issuer, card.agentId),
      ...(card.endpoint !== undefined && { endpoint: card.endpoint }),
      scopes: tier === 'introduced' ? card.allScopes : card.scopes,
      verdict: verdictNow(deps, card, { tier, now }),
      tier,
      score,
      relevance: fieldsOf(rowOf(card, tier, model), words),
      text: { name: model.name, description: model.description, version: model.version },
      skills: model.skills.map(({ id, name, tags }) => ({ id, name, tags })),
    }
  )
}

function fieldsOf(row: CardRow, words: readonly string[]): Field[] {
  const texts = { name: [row.name], tags: row.tags, skills: [...row.skills, row.skillText], description: [row.description] }
  const wanted = words.map(folded)
  return FIELDS.filter((field) => {
    const held = new Set(texts[field].flatMap((text) => folded(text).split(NO_WORD)))
    return wanted.some((word) => held.has(word))
  })
}

/** As search compares words: without case and diacritics. */
const folded = (text: string): string => text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
