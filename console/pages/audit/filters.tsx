import { useLocation } from 'preact-iso'
import { Choice, Field } from '../../ui/forms/fields.js'
import { localText, secondsOf } from '../../ui/forms/local-time.js'
import { type AuditFilter, auditHref } from './filter.js'

const TEXTS = [
  ['actor', 'Actor', 'Id of an agent, member or client'],
  ['action', 'Action', 'Such as agents.change or oauth.token'],
  ['subject', 'Subject', 'Id of an agent, member, key, card or introduction'],
  ['taskId', 'Task', undefined],
  ['tokenId', 'Token', undefined],
] as const
const OUTCOMES = [
  ['', 'any'],
  ['done', 'done'],
  ['refused', 'refused'],
] as const

/** The filters of the audit. They are in the address, so a filtered list can be kept and sent. */
export function Filters({ filter }: { readonly filter: AuditFilter }) {
  const { route } = useLocation()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement) // the handler is on the form
    const text = (name: string) => String(form.get(name) ?? '').trim()
    const texts = [...TEXTS.map(([name]) => name), 'outcome'].map((name) => [name, text(name)])
    const times = (['from', 'until'] as const).map((name) => [name, secondsOf(text(name))])
    route(auditHref(Object.fromEntries([...texts, ...times])))
  }
  const isFiltered = Object.keys(filter).length > 0
  return (
    <details open={isFiltered}>
      <summary>Filters{isFiltered && `: ${Object.keys(filter).join(', ')}`}</summary>
      <form key={JSON.stringify(filter)} onSubmit={submit}>
        <div class="columns">
          {TEXTS.map(([name, label, hint]) => (
            <div key={name}>
              <Field label={label} name={name} value={filter[name] ?? ''} {...(hint !== undefined && { hint })} />
            </div>
          ))}
          <div>
            <Choice label="Outcome" name="outcome" options={OUTCOMES} value={filter.outcome ?? ''} />
          </div>
          <div>
            <Field label="From" name="from" type="datetime-local" value={timeText(filter.from)} />
          </div>
          <div>
            <Field label="Until" name="until" type="datetime-local" value={timeText(filter.until)} />
          </div>
        </div>
        <button type="submit">Filter</button>
        {isFiltered && <a href="/console/audit">Show all rows</a>}
      </form>
    </details>
  )
}

const timeText = (at: number | undefined): string => (at === undefined ? '' : localText(at))
