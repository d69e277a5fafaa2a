import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { nameToType } from '../../ui/dialogs/confirm-name.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { ErrorNote, Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { ClientName } from './client-name.js'

type Client = Output<'clients.get'>

/** An external client. */
export function ClientPage({ clientId }: { readonly clientId: string }) {
  const client = useQuery('clients.get', { clientId })
  return (
    <Page title="External client">
      <Result of={client}>{(data) => <ClientView client={data} />}</Result>
    </Page>
  )
}

function ClientView({ client }: { readonly client: Client }) {
  const { viewer } = useConsole()
  const { clientId, clientUri } = client
  const isAdmin = isAdministrator(viewer)
  // One that is known by its URL is used by several organisations
  const mayRevoke = viewer.role === 'operator' || (isAdmin && client.orgId === viewer.orgId)
  return (
    <>
      <Facts
        of={{
          Name: client.name !== undefined && <ClientName client={client} />,
          Id: <Code>{clientId}</Code>,
          'URL of its metadata': clientUri && <Foreign text={clientUri} />,
          State: <State state={client.state} />,
          Allowed: client.isAllowed ? 'yes: people of your organisation may consent to it' : 'not in the list of your organisation',
          'Authenticates with': <Code>{client.authMethod}</Code>,
          'Grant types': <List of={client.grantTypes} />,
          'Redirect URIs': client.redirectUris && <List of={client.redirectUris} />,
          Keys: client.keys.length > 0 && <List of={client.keys} />,
          'Admitted as': client.agents.length > 0 && client.agents.map((id) => <Name key={id} id={id} />),
          Registered: client.registeredAt !== undefined && <Time at={client.registeredAt} />,
          'Last used': client.lastUsedAt !== undefined && <Time at={client.lastUsedAt} />,
        }}
      />
      {isAdmin && client.state !== 'revoked' && <Allowed client={client} />}
      {client.agents.length > 0 && (
        <p>
          <a href={`/console/consents?client=${client.agents[0]}`}>Consents to its agent</a>
        </p>
      )}
      {mayRevoke && client.state !== 'revoked' && <Revoke client={client} />}
    </>
  )
}

const List = ({ of: texts }: { readonly of: readonly string[] }) => (
  <ul>
    {texts.map((text) => (
      <li key={text}>
        <Foreign text={text} />
      </li>
    ))}
  </ul>
)

/** Lets people of the organisation consent to the client, or no longer. */
function Allowed({ client: { clientId, isAllowed } }: { readonly client: Client }) {
  const allowing = useAction('clients.allow', ['clients'])
  const disallowing = useAction('clients.disallow', ['clients'])
  return (
    <Section title={isAllowed ? 'Disallow' : 'Allow'}>
      <p>
        {isAllowed
          ? 'People in your organisation can no longer give it a new consent, unless the rules allow every client. Existing consents stay valid: revoke them one by one.'
          : 'This lets people in your organisation consent to it.'}
      </p>
      <ErrorNote error={allowing.error ?? disallowing.error} />
      <button
        type="button"
        disabled={allowing.isRunning || disallowing.isRunning}
        onClick={() => void (isAllowed ? disallowing : allowing).run({ clientId })}
      >
        {isAllowed ? 'Disallow' : 'Allow'}
      </button>
    </Section>
  )
}

function Revoke({ client }: { readonly client: Client }) {
  const [isAsking, setAsking] = useState(false)
  const revocation = useAction('clients.revoke', ['clients', 'tokens', 'consents', 'families'])
  const { clientId, name } = client
  return (
    <Section title="Revoke">
      <p>This permanently revokes the client with its tokens, consents and refresh tokens.</p>
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        Revoke the client
      </button>
      {isAsking && (
        <RevokeDialog
          title="Revoke the client"
          verb="Revoke"
          name={nameToType(name, clientId)}
          id={clientId}
          isForeign
          {...revocation}
          onClose={() => setAsking(false)}
          onConfirm={() => revocation.run({ clientId, reason: 'user_request' })}
        >
          <p>
            This revokes <ClientName client={client} /> <Code>{clientId}</Code> for every organisation that uses it: its tokens, the tokens
            that were derived from them, the consents that people gave it, and its refresh tokens.
          </p>
        </RevokeDialog>
      )}
    </Section>
  )
}
