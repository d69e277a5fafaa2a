import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import type { Item } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { isAdministrator } from '../../api/viewer.js'
import { RevokeButton } from '../../ui/dialogs/revoke-button.js'
import { useDone } from '../../ui/done.js'
import { Items } from '../../ui/items.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Command, Foreign, State, Time } from '../../ui/text.js'
import { RegisterProvider } from './register-provider.js'

type Provider = Item<'issuers.list'>

/** The OpenID Providers with which the people of an organisation sign in. */
export function Providers() {
  const { viewer } = useConsole()
  const orgId = useLocation().query.organisation ?? viewer.orgId
  const list = useWholeList('issuers.list', { orgId })
  const [done, say] = useDone()
  const mayRegister = isAdministrator(viewer) && orgId === viewer.orgId
  return (
    <Page title="Sign-in providers">
      {orgId !== viewer.orgId && (
        <p>
          Of the organisation <a href={`/console/organisations/${orgId}`}>{orgId}</a>
        </p>
      )}
      {done}
      <Items
        list={list}
        idOf={({ issuerId }) => issuerId}
        item={(provider) => <ProviderItem of={provider} say={say} />}
        empty={
          <>
            <p>
              No sign-in provider: people sign in with passkeys or the command line.{' '}
              {mayRegister ? 'Register one below, or:' : 'An administrator registers one:'}
            </p>
            <Command text="credence issuer register https://login.example.com --client-id credence" />
          </>
        }
      />
      {mayRegister && (
        <Section title="Register a provider">
          <RegisterProvider say={say} />
        </Section>
      )}
    </Page>
  )
}

function ProviderItem({ of: provider, say }: { readonly of: Provider; readonly say: (text: string) => void }) {
  const { issuerId, url, clientId, autoJoin, signInUrl, redirectUri, jwksUri, state, createdAt } = provider
  const { viewer } = useConsole()
  const revoke = useAction('issuers.revoke', ['issuers', 'links', 'sessions', 'consents'])
  const host = new URL(url).host
  return (
    <>
      <strong>
        <Foreign text={url} />
      </strong>{' '}
      <State state={state} />
      <Facts
        of={{
          Id: <Code>{issuerId}</Code>,
          'Client id': <Foreign text={clientId} />,
          'Who joins': autoJoin ? (
            <>
              people whose ID token has <Foreign text={autoJoin.claim} /> = <Foreign text={autoJoin.value} />, as person
            </>
          ) : (
            'people with an invitation'
          ),
          'Sign-in page': <Code>{signInUrl}</Code>,
          Registered: <Time at={createdAt} />,
        }}
      />
      {state === 'active' && (
        <>
          <details>
            <summary>What to set at the provider</summary>
            <Facts
              of={{
                'Redirect URI': <Code>{redirectUri}</Code>,
                'Client authentication': <Code>private_key_jwt</Code>,
                'Keys of the client': <Code>{jwksUri}</Code>,
              }}
            />
          </details>
          {isAdministrator(viewer) && (
            <RevokeButton
              label={`Revoke the provider ${issuerId}`}
              title="Revoke the sign-in provider"
              name={host}
              id={issuerId}
              action={revoke}
              revoke={(because) => revoke.run({ issuerId, ...because })}
              onDone={() => say(`The provider ${host} is revoked, with its sessions and the consents that people gave in them.`)}
            >
              <p>Every session that the provider opened ends, and every consent that people gave in these sessions.</p>
              <p>It opens no further session. Members and their links stay: people who have no passkey and no key need an invitation.</p>
            </RevokeButton>
          )}
        </>
      )}
    </>
  )
}
