import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { counted } from '../../ui/counted.js'
import { RevokeButton } from '../../ui/revoke-button.js'
import { Command } from '../../ui/text.js'

interface RevokeMemberProps {
  readonly member: Output<'members.get'>
  readonly isOwn: boolean
}

/** Revokes a membership. A member may revoke its own. */
export function RevokeMember({ member: { memberId, orgId, name }, isOwn }: RevokeMemberProps) {
  const { viewer } = useConsole()
  const revoke = useAction('members.revoke', ['members', 'keys', 'passkeys', 'links', 'sessions', 'consents', 'agents'])
  return (
    <>
      <RevokeButton
        label="Revoke the membership"
        verb="Revoke the membership"
        title="Revoke the membership"
        name={name}
        action={revoke}
        revoke={(because) => revoke.run({ memberId, ...because })}
      >
        <p>With the membership ends:</p>
        <Endings memberId={memberId} />
        <p>Agents that the member registered stay, except those on its devices.</p>
      </RevokeButton>
      {viewer.role === 'operator' && orgId !== viewer.orgId && (
        <>
          <p>If the organisation has no administrator left, invite one afterwards:</p>
          <Command text={`credence organisation invite ${orgId} --role administrator`} />
        </>
      )}
      {isOwn && <p class="hint">This is your own membership: afterwards you can no longer sign in.</p>}
    </>
  )
}

function Endings({ memberId }: { readonly memberId: string }) {
  const keys = useWholeList('keys.list', { owner: memberId })
  const sessions = useWholeList('sessions.list', { memberId })
  const consents = useList('consents.list', { memberId }, ({ consentId }) => consentId)
  const agents = useList('agents.list', { memberId }, ({ agentId }) => agentId)
  return (
    <ul>
      <li>{counted(keys, 'key', ({ state }) => state !== 'revoked')}, with all tokens of the member</li>
      <li>{counted(sessions, 'session')}</li>
      <li>
        {counted(consents, 'consent', ({ state }) => state === 'valid')}, with every token and refresh token that was issued under them
      </li>
      <li>{counted(agents, 'agent', (agent) => agent.memberId === memberId && agent.state !== 'revoked')} on devices of the member</li>
    </ul>
  )
}
