import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList, useQuery } from '../../api/use-query.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { AuditLinks } from '../../ui/audit-links.js'
import { counted } from '../../ui/dialogs/counted.js'
import { EndingsList, RevokeButton } from '../../ui/dialogs/revoke-button.js'
import { useDone } from '../../ui/done.js'
import { Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Foreign, State, Time } from '../../ui/text.js'

type Organisation = Output<'organisations.get'>

/** One organisation, and where its things are. */
export function OrganisationPage({ orgId }: { readonly orgId: string }) {
  const organisation = useQuery('organisations.get', { orgId })
  return (
    <Page title="Organisation">
      <Result of={organisation}>{(data) => <Parts organisation={data} />}</Result>
    </Page>
  )
}

/** The pages that show the things of any organisation to an operator. */
const PLACES = [
  ['members', 'Members'],
  ['resources', 'Resources'],
  ['providers', 'Sign-in providers'],
  ['namespaces', 'Namespaces'],
] as const

function Parts({ organisation }: { readonly organisation: Organisation }) {
  const { viewer } = useConsole()
  const { orgId, name, state, createdAt, endedAt, endedBy, reason, note } = organisation
  const [done, say] = useDone()
  return (
    <>
      {done}
      <Facts
        of={{
          Name: <Foreign text={name} />,
          Id: <Code>{orgId}</Code>,
          State: <State state={state} />,
          Created: <Time at={createdAt} />,
          Revoked: endedAt === undefined ? undefined : <Time at={endedAt} />,
          'Revoked by': endedBy && <Code>{endedBy}</Code>,
          Reason: reason,
          Note: note && <Foreign text={note} />,
          Audit: viewer.role === 'operator' ? <AuditLinks id={orgId} acts={false} /> : undefined,
        }}
      />
      {viewer.role === 'operator' && (
        <>
          <Section title="What it has">
            <ul>
              {PLACES.map(([path, label]) => (
                <li key={path}>
                  <a href={`/console/${path}?organisation=${orgId}`}>{label}</a>
                </li>
              ))}
            </ul>
          </Section>
          {state === 'active' && orgId !== viewer.orgId && <Revoke of={organisation} say={say} />}
        </>
      )}
    </>
  )
}

function Revoke({ of: { orgId, name }, say }: { readonly of: Organisation; readonly say: (text: string) => void }) {
  const endings = useEndings(orgId)
  const revoke = useAction('organisations.revoke', ['organisations', 'members', 'agents', 'resources', 'namespaces'])
  return (
    <Section title="Revoke the organisation">
      <RevokeButton
        label="Revoke the organisation"
        verb="Revoke the organisation"
        title="Revoke the organisation"
        name={name}
        id={orgId}
        isForeign
        action={revoke}
        revoke={(because) => revoke.run({ orgId, ...because })}
        onDone={() => say(`The organisation is revoked. Ended with it: ${endings.join('; ')}.`)}
      >
        <p>Everything that the organisation owns ends with it:</p>
        <EndingsList of={endings} />
      </RevokeButton>
    </Section>
  )
}

const stands = ({ state }: { readonly state: string }) => state !== 'revoked'

/** What ends with the organisation, read before. */
function useEndings(orgId: string): readonly string[] {
  const members = useList('members.list', { orgId }, ({ memberId }) => memberId)
  const agents = useList('agents.list', { orgId }, ({ agentId }) => agentId)
  const resources = useList('resources.list', { orgId }, ({ resourceId }) => resourceId)
  const keys = useWholeList('keys.list', { owner: orgId })
  const providers = useWholeList('issuers.list', { orgId })
  return [
    `${counted(members, 'member', stands)}, with their keys, sessions and consents`,
    `${counted(agents, 'agent', stands)}, with their cards`,
    counted(resources, 'resource', stands),
    counted(keys, 'publisher key', stands),
    counted(providers, 'sign-in provider', stands),
    'all introductions, tasks and tokens of these',
  ]
}
