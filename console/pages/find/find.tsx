import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { Empty } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command } from '../../ui/text.js'
import { addressOf, type Criteria, criteriaOf, filtersOf } from './criteria.js'
import { Facets, Filters } from './facets.js'
import { cardAddress, HitRow } from './hit-row.js'
import { SearchForm } from './search-form.js'
import { useSearch } from './use-search.js'

/** Search for agents by their published cards. */
export function Find() {
  const { viewer } = useConsole()
  const { url, route } = useLocation()
  const criteria = criteriaOf(new URL(url, viewer.issuer).searchParams)
  const { list, first } = useSearch(criteria)
  const mayRequest = viewer.role !== 'person'
  return (
    <Page title="Find">
      <SearchForm key={criteria.text ?? ''} criteria={criteria} />
      <Filters criteria={criteria} />
      <Facets criteria={criteria} facets={first?.facets} />
      <h2>Agents</h2>
      {first && (
        <p aria-live="polite">
          {first.isTotalExact ? '' : 'At least '}
          {first.total} {first.total === 1 ? 'card matches' : 'cards match'}.
        </p>
      )}
      <Rows
        label="Matching agents"
        list={list}
        idOf={({ agentId }) => agentId}
        hrefOf={cardAddress}
        row={(hit) => <HitRow hit={hit} mayRequest={mayRequest} />}
        keys={mayRequest ? { r: (hit) => route(`${cardAddress(hit)}/request`) } : {}}
        empty={<Nothing criteria={criteria} />}
      />
      {list.items.length > 0 && (
        <p class="hint">
          Keys: j and k select, Enter opens the card{mayRequest && ', r requests an introduction'}. A score is relevance and says nothing
          about trust.
        </p>
      )}
    </Page>
  )
}

function Nothing({ criteria }: { readonly criteria: Criteria }) {
  const { text } = criteria
  if (text === undefined && filtersOf(criteria).length === 0)
    return (
      <Empty>
        <p>There is no published card that you can see. An agent publishes one with:</p>
        <Command text="credence card publish AGENT card.json" />
      </Empty>
    )
  return (
    <Empty>
      <p>
        No card matches. Use fewer words or <a href={addressOf({})}>search without filters</a>. An agent may have the capability without
        publishing it. To ask its organisation:
      </p>
      <Command text={'credence introduction request --capability NAME --from AGENT --purpose "WHY"'} />
    </Empty>
  )
}
