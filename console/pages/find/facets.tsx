import type { SearchResult } from '../../../src/protocol/search.js'
import { Foreign } from '../../ui/text.js'
import { addressOf, type Criteria, FACET_NAMES, FACETS, filtersOf, withFilter, withoutFilter } from './criteria.js'

/** The filters in force. Each can be removed. */
export function Filters({ criteria }: { readonly criteria: Criteria }) {
  const filters = filtersOf(criteria)
  if (filters.length === 0) return null
  return (
    <ul class="filters" aria-label="Filters">
      {filters.map(({ title, filter, value }) => (
        <li key={`${filter} ${value}`}>
          {title}: <Foreign text={value} />{' '}
          <a href={addressOf(withoutFilter(criteria, filter, value))} aria-label={`Remove the filter ${title}: ${value}`}>
            remove
          </a>
        </li>
      ))}
    </ul>
  )
}

/** The most frequent values among the matching cards. Each is a link to the same search with that filter. Values are texts of publishers. */
export function Facets({ criteria, facets = {} }: { readonly criteria: Criteria; readonly facets: SearchResult['facets'] }) {
  const inForce = new Set(filtersOf(criteria).map(({ filter, value }) => `${filter} ${value}`))
  const shown = FACET_NAMES.map((name) => ({
    ...FACETS[name],
    values: (facets[name] ?? []).filter(({ value }) => !inForce.has(`${FACETS[name].filter} ${value}`)),
  })).filter(({ values }) => values.length > 0)
  if (shown.length === 0) return null
  return (
    <details class="facets">
      <summary>Narrow the search</summary>
      <div class="columns">
        {shown.map(({ title, filter, values }) => (
          <section key={filter} aria-label={title}>
            <h3>{title}</h3>
            <ul class="filters">
              {values.map(({ value, count }) => (
                <li key={value}>
                  <a href={addressOf(withFilter(criteria, filter, value))}>
                    <Foreign text={value} />
                  </a>{' '}
                  ({count})
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </details>
  )
}
