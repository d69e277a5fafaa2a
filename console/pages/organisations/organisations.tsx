import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { useDone } from '../../ui/done.js'
import { Field } from '../../ui/forms/fields.js'
import { Empty, ErrorNote } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Foreign, State, Time } from '../../ui/text.js'

const hrefOf = ({ orgId }: { readonly orgId: string }) => `/console/organisations/${orgId}`

/** The organisations of the registry, for operators; others see their own. */
export function Organisations() {
  const { viewer } = useConsole()
  const list = useList('organisations.list', {}, ({ orgId }) => orgId)
  return (
    <Page title="Organisations">
      <Rows
        label="Organisations"
        list={list}
        idOf={({ orgId }) => orgId}
        hrefOf={hrefOf}
        row={(organisation) => (
          <>
            <a href={hrefOf(organisation)}>
              <Foreign text={organisation.name} />
            </a>
            <State state={organisation.state} />
            <span class="hint">
              created <Time at={organisation.createdAt} />
            </span>
          </>
        )}
        empty={
          <Empty>
            <p>No organisation. Create one below, or:</p>
            <Command text="credence organisation create NAME" />
          </Empty>
        }
      />
      {viewer.role === 'operator' && (
        <Section title="Create an organisation">
          <Create />
        </Section>
      )}
    </Page>
  )
}

function Create() {
  const [name, setName] = useState('')
  const [done, say] = useDone()
  const create = useAction('organisations.create', ['organisations'])
  const submit = async (event: Event) => {
    event.preventDefault()
    const created = await create.run({ name })
    if (!created) return
    setName('')
    say(
      <>
        Created. It has no member yet: <a href={`/console/members?organisation=${created.orgId}`}>invite its administrator</a>.
      </>,
    )
  }
  return (
    <>
      <form onSubmit={submit}>
        <Field label="Name" name="name" required value={name} onInput={setName} />
        <ErrorNote error={create.error} />
        <button type="submit" disabled={create.isRunning}>
          Create
        </button>
      </form>
      {done}
    </>
  )
}
