import { useEffect, useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { useQuery } from '../../api/use-query.js'
import { Choice, Tick } from '../../ui/forms/fields.js'
import { addressOf, type Criteria } from './criteria.js'

const SUGGEST_AFTER_MS = 150
const SORTS = [
  ['relevance', 'Best match first'],
  ['newest', 'Newest first'],
] as const

/** The text of a search with suggestions, and its order. The address has the search. */
export function SearchForm({ criteria }: { readonly criteria: Criteria }) {
  const { route } = useLocation()
  const [text, setText] = useState(criteria.text ?? '')
  const { text: _, ...rest } = criteria
  const search = (event: Event) => {
    event.preventDefault()
    route(addressOf({ ...rest, ...(text.trim() !== '' && { text: text.trim() }) }))
  }
  return (
    <search>
      <form onSubmit={search}>
        <label for="find-text">What do you need?</label>
        <input
          id="find-text"
          type="search"
          name="text"
          list="find-words"
          maxLength={256}
          autocomplete="off"
          value={text}
          aria-describedby="find-hint"
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <p class="hint" id="find-hint">
          Words, a name, or a task in a sentence.
        </p>
        <Suggestions text={text} />
        <button type="submit">Search</button>
        <Choice
          label="Order"
          name="sort"
          options={SORTS}
          value={criteria.sort ?? 'relevance'}
          onChange={(sort) => route(addressOf({ ...criteria, sort: sort === 'newest' ? 'newest' : 'relevance' }), true)}
        />
        <Tick
          checked={criteria.includeNonconformant ?? false}
          onChange={(includeNonconformant) => route(addressOf({ ...criteria, includeNonconformant }), true)}
        >
          Also cards that do not follow A2A
        </Tick>
      </form>
    </search>
  )
}

function Suggestions({ text }: { readonly text: string }) {
  const [settled, setSettled] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), SUGGEST_AFTER_MS)
    return () => clearTimeout(timer)
  }, [text])
  const { data } = useQuery('discovery.suggest', settled.trim() === '' ? undefined : { text: settled }, { isLive: false })
  return (
    <datalist id="find-words">
      {data?.suggestions.map((suggestion) => (
        <option key={suggestion} value={suggestion} />
      ))}
    </datalist>
  )
}
