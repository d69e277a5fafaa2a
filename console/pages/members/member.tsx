import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList, useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { AuditLinks } from '../../ui/audit-links.js'
import { counted } from '../../ui/dialogs/counted.js'
import { useDone } from '../../ui/done.js'
import { Choice } from '../../ui/forms/fields.js'
import { Items } from '../../ui/items.js'
import { ErrorNote, Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Command, Foreign, State, Time } from '../../ui/text.js'
import { Accounts } from './accounts.js'
import { Keys } from './keys.js'
import { Passkeys } from './passkeys.js'
import { RevokeMember } from './revoke-member.js'
import { Sessions } from './sessions.js'

type Member = Output<'members.get'>

/** A member: for itself, for the administrators of its organisation and for operators. */
export function MemberPage({ memberId }: { readonly memberId: string }) {
  const { viewer } = useConsole()
  const member = useQuery('members.get', { memberId })
  const isOwn = memberId === viewer.id
  return (
    <Page title={isOwn ? 'You' : 'Member'}>
      <Result of={member}>{(data) => <MemberParts key={memberId} member={data} isOwn={isOwn} />}</Result>
    </Page>
  )
}

function MemberParts({ member, isOwn }: { readonly member: Member; readonly isOwn: boolean }) {
  const { memberId, state } = member
  const [done, say] = useDone()
  return (
    <>
      {done}
      <MemberFacts member={member} />
      <Role member={member} />
      <Section title="Keys of the command line">
        <Keys memberId={memberId} isOwn={isOwn} />
      </Section>
      <Section title="Passkeys">
        <Passkeys memberId={memberId} isOwn={isOwn} />
      </Section>
      <Section title="Accounts at sign-in providers">
        <Accounts memberId={memberId} orgId={member.orgId} isOwn={isOwn} />
      </Section>
      <Section title="Sessions of browsers">
        <Sessions memberId={memberId} isOwn={isOwn} />
      </Section>
      <Section title="Consents">
        <Consents memberId={memberId} />
      </Section>
      <Section title={isOwn ? 'Agents that you registered' : 'Agents that the member registered'}>
        <Agents memberId={memberId} />
      </Section>
      {state === 'active' && (
        <Section title="End the membership">
          <RevokeMember member={member} isOwn={isOwn} say={say} />
        </Section>
      )}
    </>
  )
}

function MemberFacts({ member }: { readonly member: Member }) {
  const { memberId, orgId, name, role, state, joinedAt, invitedBy, endedAt, endedBy, reason, note } = member
  const { viewer } = useConsole()
  const maySeeOthers = isAdministrator(viewer)
  return (
    <Facts
      of={{
        Name: <Foreign text={name} />,
        Id: <Code>{memberId}</Code>,
        Organisation: <Code>{orgId}</Code>,
        Role: role,
        State: <State state={state} />,
        Joined: <Time at={joinedAt} />,
        'Invited by': invitedBy && (maySeeOthers ? <a href={`/console/members/${invitedBy}`}>{invitedBy}</a> : <Code>{invitedBy}</Code>),
        Revoked: endedAt === undefined ? undefined : <Time at={endedAt} />,
        'Revoked by': endedBy && <Code>{endedBy}</Code>,
        Reason: reason,
        Note: note && <Foreign text={note} />,
        Audit: maySeeOthers ? <AuditLinks id={memberId} /> : undefined,
      }}
    />
  )
}

const ROLES = ['person', 'member', 'administrator'] as const

/** Changes the role: for administrators of the organisation. */
function Role({ member: { memberId, orgId, role, state } }: { readonly member: Member }) {
  const { viewer } = useConsole()
  const [chosen, choose] = useState(role)
  const [done, say] = useDone()
  const change = useAction('members.changeRole', ['members'])
  if (viewer.role !== 'administrator' || viewer.orgId !== orgId || state !== 'active') return done
  const submit = async (event: Event) => {
    event.preventDefault()
    if (await change.run({ memberId, role: chosen })) say(`The role is ${chosen}. Tokens of the former role have ended.`)
  }
  return (
    <Section title="Role">
      <form onSubmit={submit}>
        <Choice
          label="Role"
          name="role"
          value={chosen}
          onChange={(value) => choose(ROLES.find((one) => one === value) ?? chosen)}
          options={ROLES.map((one) => [one, one] as const)}
        />
        {memberId === viewer.id && <p class="hint">This is your own role: without the role administrator you cannot change it back.</p>}
        <ErrorNote error={change.error} />
        <button type="submit" disabled={change.isRunning || chosen === role}>
          Change the role
        </button>
      </form>
      {done}
    </Section>
  )
}

function Consents({ memberId }: { readonly memberId: string }) {
  const list = useList('consents.list', { memberId }, ({ consentId }) => consentId)
  return (
    <>
      <ErrorNote error={list.error} />
      <p>
        <a href={`/console/consents?member=${memberId}`}>{counted(list, 'consent', ({ state }) => state === 'valid')}</a> in force
      </p>
    </>
  )
}

function Agents({ memberId }: { readonly memberId: string }) {
  const list = useList('agents.list', { memberId }, ({ agentId }) => agentId)
  return (
    <Items
      list={list}
      idOf={({ agentId }) => agentId}
      item={({ agentId, name, state, registeredAt, memberId: device }) => (
        <>
          <a href={`/console/agents/${agentId}`}>
            <Foreign text={name} />
          </a>{' '}
          <State state={state} />
          <p class="hint">
            registered <Time at={registeredAt} />
            {device !== undefined && ', on a device of the person: it acts only for the person'}
          </p>
        </>
      )}
      empty={
        <>
          <p>No agent. One on a device is registered where it runs, and approved in a browser:</p>
          <Command text="credence agent connect NAME" />
        </>
      }
    />
  )
}
