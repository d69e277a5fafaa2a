import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { Field } from '../../ui/forms/fields.js'
import { Empty, ErrorNote } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, State, Time } from '../../ui/text.js'
import { ClientName } from './client-name.js'

/** The external clients that the viewer's organisation uses: they registered themselves, or are known by the URL of their metadata. */
export function Clients() {
  const { viewer } = useConsole()
  const list = useList('clients.list', {}, ({ clientId }) => clientId)
  const hrefOf = ({ clientId }: { readonly clientId: string }) => `/console/clients/${clientId}`
  const isAdmin = isAdministrator(viewer)
  return (
    <Page
      title="External clients"
      actions={
        <>
          <a class="button" href="/console/clients/rules">
            Rules
          </a>
          <a class="button" href="/console/clients/registrations">
            Registration grants
          </a>
        </>
      }
    >
      <Rows
        label="External clients"
        list={list}
        idOf={({ clientId }) => clientId}
        hrefOf={hrefOf}
        row={(client) => (
          <>
            <a href={hrefOf(client)}>
              <ClientName client={client} />
            </a>
            <State state={client.state} />
            {client.isAllowed && <State state="allowed" />}
            <span class="hint">
              {client.clientUri !== undefined && `${new URL(client.clientUri).host} `}
              {client.lastUsedAt !== undefined && (
                <>
                  last used <Time at={client.lastUsedAt} />
                </>
              )}
            </span>
          </>
        )}
        empty={
          <Empty>
            <p>
              Your organisation uses no external client. Software registers itself with a registration grant, or an administrator allows a
              client by the URL of its metadata, here or on the command line:
            </p>
            <Command text="credence client allow https://client.example/metadata.json" />
          </Empty>
        }
      />
      {isAdmin && <AllowClient />}
    </Page>
  )
}

function AllowClient() {
  const allowing = useAction('clients.allow', ['clients'])
  const [clientId, setClientId] = useState('')
  const allow = async (event: Event) => {
    event.preventDefault()
    if (await allowing.run({ clientId })) setClientId('')
  }
  return (
    <Section title="Allow a client">
      <form onSubmit={allow}>
        <Field
          label="Client"
          name="clientId"
          required
          value={clientId}
          onInput={setClientId}
          hint="Its id (cli_…), or the https URL of its metadata. People of your organisation may then consent to it."
        />
        <ErrorNote error={allowing.error} />
        <button type="submit" disabled={allowing.isRunning}>
          Allow
        </button>
      </form>
    </Section>
  )
}
