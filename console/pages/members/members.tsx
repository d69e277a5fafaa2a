import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { useList } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { Empty } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Foreign, State, Time } from '../../ui/text.js'
import { Invite } from './invite.js'

/** The members of an organisation; for an operator, of the one that the address names. */
export function Members() {
  const { viewer } = useConsole()
  const orgId = useLocation().query.organisation ?? viewer.orgId
  if (!isAdministrator(viewer))
    return (
      <Page title="Members">
        <Empty>
          Only administrators see the members. <a href={`/console/members/${viewer.id}`}>Your own page</a> has your keys and sessions.
        </Empty>
      </Page>
    )
  return (
    <Page title="Members">
      {orgId !== viewer.orgId && (
        <p>
          Of the organisation <a href={`/console/organisations/${orgId}`}>{orgId}</a>
        </p>
      )}
      <MemberRows orgId={orgId} />
      <Section title="Invite a person">
        <Invite key={orgId} orgId={orgId} />
      </Section>
    </Page>
  )
}

function MemberRows({ orgId }: { readonly orgId: string }) {
  const list = useList('members.list', { orgId }, ({ memberId }) => memberId)
  const hrefOf = ({ memberId }: { readonly memberId: string }) => `/console/members/${memberId}`
  return (
    <Rows
      label="Members"
      list={list}
      idOf={({ memberId }) => memberId}
      hrefOf={hrefOf}
      row={(member) => (
        <>
          <a href={hrefOf(member)}>
            <Foreign text={member.name} />
          </a>
          <span>{member.role}</span>
          <State state={member.state} />
          <span class="hint">
            joined <Time at={member.joinedAt} />
          </span>
        </>
      )}
      empty={
        <Empty>
          <p>The organisation has no member. Invite its administrator below, or:</p>
          <Command text={`credence organisation invite ${orgId} --role administrator`} />
        </Empty>
      }
    />
  )
}
