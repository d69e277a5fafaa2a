import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { isAdministrator } from '../../api/viewer.js'
import { Field } from '../../ui/forms/fields.js'
import { Page } from '../../ui/page.js'
import { Changes } from './changes.js'
import { Health } from './health.js'
import { Needs } from './needs.js'
import { ActiveTasks, OwnAgents, OwnConsents } from './own.js'

/** Where every question begins: what needs the viewer, what changed, and whether the registry is healthy. */
export function Overview() {
  const { viewer } = useConsole()
  const mayAudit = isAdministrator(viewer)
  return (
    <Page title="Overview">
      <SearchField />
      <Needs />
      <OwnAgents />
      <ActiveTasks />
      <OwnConsents />
      {mayAudit && <Changes />}
      <Health />
    </Page>
  )
}

/** Leads to the search for an agent by what it is needed for. */
function SearchField() {
  const { route } = useLocation()
  const [text, setText] = useState('')
  const submit = (event: Event) => {
    event.preventDefault()
    route(`/console/find?${new URLSearchParams({ text })}`)
  }
  return (
    <search>
      <form onSubmit={submit}>
        <Field
          label="Find an agent"
          name="need"
          type="search"
          hint="What do you need an agent for? Press Enter."
          value={text}
          onInput={setText}
        />
      </form>
    </search>
  )
}
