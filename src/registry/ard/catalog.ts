// Reads the entries of published cards, from their public parts. They are the same for every caller.
import { refuse } from '../../errors.js'
import { type GetCardDeps, requirePublishedCard } from '../cards/get.js'
import { currentVerdict, type ViewDeps } from '../cards/view.js'
import { type SearchCriteria, type SearchDeps, searchCards } from '../discovery/search.js'
import { type ArdEntry, entryOfCard, entryOfRegistry } from './entry.js'
import { agentOfIdentifier, IDENTIFIER } from './identifier.js'

export type CatalogDeps = SearchDeps & ViewDeps & Pick<GetCardDeps, 'cards'>

/** The entry with this identifier. An identifier without an entry gets the same refusal whatever the reason. */
export async function requireEntry(deps: CatalogDeps, identifier: string): Promise<ArdEntry> {
  if (!IDENTIFIER.test(identifier)) refuse('bad_input', 'the identifier is not of the form urn:air:<publisher>:<namespace>:<name>')
  const own = entryOfRegistry(deps.issuer)
  if (identifier === own.identifier) return own
  const agentId = agentOfIdentifier(deps.issuer, identifier)
  if (agentId === undefined) return noEntry()
  return deps.trustLog.afterBarrier(undefined, async ({ now }) => {
    const [{ card }, rows] = await Promise.all([requirePublishedCard(deps, agentId), deps.cardSearch.summaries('public', [agentId])])
    const row = rows.get(agentId)
    const verdict = await currentVerdict(deps, card, { tier: 'public', now })
    return row ? entryOfCard(deps.issuer, { ...row, agentId, verdict }, card) : noEntry()
  })
}

/** The text of `requirePublishedCard`. */
const noEntry = (): never => refuse('not_found', 'no such card')

interface CatalogPage {
  readonly entries: readonly ArdEntry[]
  /** Absent if the registry has not counted all of them. */
  readonly total?: number
  readonly cursor?: string
}

/** Lists entries, the newest publication first. A page may be shorter than `limit` while there is a cursor. */
export async function listEntries(
  deps: CatalogDeps,
  address: string,
  query: Pick<SearchCriteria, 'filters' | 'publishedSince' | 'limit' | 'cursor'>,
): Promise<CatalogPage> {
  const { hits, total, isTotalExact, cursor } = await searchCards(deps, { caller: undefined, address }, query)
  const entries = await Promise.all(
    hits.map(async (hit) => {
      const card = await deps.cards.get(hit.agentId)
      return card && !card.unpublished ? entryOfCard(deps.issuer, hit, card) : undefined
    }),
  )
  return {
    entries: entries.filter((entry) => entry !== undefined),
    ...(isTotalExact && { total }),
    ...(cursor !== undefined && { cursor }),
  }
}
