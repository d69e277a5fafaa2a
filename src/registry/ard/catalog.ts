// Reads the entries of published cards, from their public parts. They are the same for every caller.
import { isRefusal, refuse } from '../../errors.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Card } from '../cards/card-record.js'
import { type GetCardDeps, requirePublishedCard } from '../cards/get.js'
import { currentVerdict, type ViewDeps } from '../cards/view.js'
import { type SearchCriteria, type SearchDeps, searchCardsAs } from '../discovery/search.js'
import { type ArdEntry, entryOfRegistry, entryOfRow } from './entry.js'
import type { EntryFilters } from './filter.js'
import { findCandidate, IDENTIFIER, listingOf } from './identifier.js'

export type CatalogDeps = SearchDeps & ViewDeps & Pick<GetCardDeps, 'cards'>

/** The entry with this identifier. An identifier without an entry gets the same refusal whatever the reason. */
export async function requireEntry(deps: CatalogDeps, identifier: string): Promise<ArdEntry> {
  if (!IDENTIFIER.test(identifier)) refuse('bad_input', 'the identifier is not of the form urn:air:<publisher>:<namespace>:<name>')
  const own = entryOfRegistry(deps.issuer)
  if (identifier === own.identifier) return own
  return deps.trustLog.afterBarrier(undefined, async ({ now }) => {
    const agentId = await findCandidate(deps, identifier)
    if (agentId === undefined) return noEntry()
    const [card, rows] = await Promise.all([publishedCard(deps, agentId), deps.cardSearch.summaries('public', [agentId])])
    const row = rows.get(agentId)
    const verdict = await currentVerdict(deps, card, { tier: 'public', now })
    const listing = await listingOf(deps, { agentId, verdict })
    return row && listing.identifier === identifier ? entryOfRow(deps.issuer, { ...row, agentId, verdict }, listing, row) : noEntry()
  })
}

/** ARD has one response for all identifiers without an entry, also for that of a revoked agent. */
const publishedCard = async (deps: CatalogDeps, agentId: AgentId): Promise<Card> => {
  try {
    return (await requirePublishedCard(deps, agentId)).card
  } catch (error) {
    if (isRefusal(error) && (error.reason === 'not_found' || error.reason === 'gone')) return noEntry()
    throw error
  }
}

const noEntry = (): never => refuse('not_found', 'no entry has this identifier')

interface CatalogPage {
  readonly entries: readonly ArdEntry[]
  /** Absent if the registry has not counted all of them. */
  readonly total?: number
  readonly cursor?: string
}

/** Lists entries, the newest publication first. It reads search rows only, within the limit of searches. A page may be shorter than `limit` while there is a cursor. */
export async function listEntries(
  deps: SearchDeps,
  address: string,
  { publishers, ...query }: Pick<SearchCriteria, 'publishedSince' | 'limit' | 'cursor'> & Partial<EntryFilters>,
): Promise<CatalogPage> {
  const { hits, total, isTotalExact, cursor } = await searchCardsAs(
    deps,
    { caller: undefined, address },
    query,
    async ({ hit, summary }) => {
      const listing = await listingOf(deps, hit)
      const isListed = publishers === undefined || publishers.includes(listing.publisher)
      return isListed ? entryOfRow(deps.issuer, hit, listing, summary) : undefined
    },
  )
  return {
    entries: hits.filter((entry) => entry !== undefined),
    ...(isTotalExact && { total }),
    ...(cursor !== undefined && { cursor }),
  }
}
