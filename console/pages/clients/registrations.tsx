import { useState } from 'preact/hooks'
import type { Item, Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { Empty } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Code, Command, Foreign, Name, State, Time } from '../../ui/text.js'
import { IssueGrant } from './issue-grant.js'

type Grant = Item<'registrations.list'>

/** Registration grants: with the token of one, software registers clients of the viewer's organisation. */
export function Registrations() {
  const list = useList('registrations.list', {}, ({ registrationId }) => registrationId)
  const [issued, setIssued] = useState<Output<'registrations.issue'> | undefined>()
  const [chosen, choose] = useState<Grant | undefined>()
  const revocation = useAction('registrations.revoke', ['registrations'])
  return (
    <Page title="Registration grants" actions={<a href="/console/clients">External clients</a>}>
      {issued && (
        <section class="note" aria-label="Initial access token">
          <p>
            The initial access token of <Code>{issued.registrationId}</Code>. It is shown only once: the registry stores only its hash.
          </p>
          <Command text={issued.initialAccessToken} />
          <p>
            Software sends it to <Code>{issued.registrationEndpoint}</Code> (RFC 7591) until <Time at={issued.expiresAt} />.
          </p>
          <button type="button" class="quiet" onClick={() => setIssued(undefined)}>
            Hide the token
          </button>
        </section>
      )}
      <Rows
        label="Registration grants"
        list={list}
        idOf={({ registrationId }) => registrationId}
        row={(grant) => <GrantRow grant={grant} onRevoke={() => choose(grant)} />}
        empty={
          <Empty>
            <p>Your organisation has no registration grant. Issue one below, or on the command line:</p>
            <Command text="credence registration issue" />
          </Empty>
        }
      />
      <Section title="Issue a registration grant">
        <IssueGrant onIssued={setIssued} />
      </Section>
      {chosen && (
        <RevokeDialog
          title="Revoke the registration grant"
          verb="Revoke"
          name={chosen.registrationId}
          {...revocation}
          onClose={() => choose(undefined)}
          onConfirm={() => revocation.run({ registrationId: chosen.registrationId })}
        >
          <p>
            Its token can no longer register clients: {chosen.usesLeft} of {chosen.uses} uses are left. Clients that were registered with it
            stay; revoke them on their own pages.
          </p>
        </RevokeDialog>
      )}
    </Page>
  )
}

const GrantRow = ({ grant, onRevoke }: { readonly grant: Grant; readonly onRevoke: () => void }) => (
  <>
    <Code>{grant.registrationId}</Code>
    <State state={grant.state} />
    <span>
      {grant.usesLeft} of {grant.uses} uses left
    </span>
    <span class="hint">
      issued by <Name id={grant.issuedBy} />, expires <Time at={grant.expiresAt} />
      {grant.redirectHosts && (
        <>
          , redirects to{' '}
          {grant.redirectHosts.map((host) => (
            <Foreign key={host} text={host} />
          ))}
        </>
      )}
    </span>
    <button type="button" class="danger small" aria-label={`Revoke the grant ${grant.registrationId}`} onClick={onRevoke}>
      Revoke
    </button>
  </>
)
