import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { counted } from '../../ui/dialogs/counted.js'
import { EndingsList, RevokeButton } from '../../ui/dialogs/revoke-button.js'
import { Command } from '../../ui/text.js'

interface RevokeMemberProps {
  readonly member: Output<'members.get'>
  readonly isOwn: boolean
  readonly say: (text: string) => void
}

/** Revokes a membership. A member may revoke its own. */
export function RevokeMember({ member: { memberId, orgId, name }, isOwn, say }: RevokeMemberProps) {
  const { viewer } = useConsole()
  const revoke = useAction('members.revoke', ['members', 'keys', 'passkeys', 'links', 'sessions', 'consents', 'agents'])
  const endings = useEndings(memberId)
  return (
    <>
      <RevokeButton
        label="Revoke the membership"
        verb="Revoke the membership"
        title="Revoke the membership"
        name={name}
        id={memberId}
        isForeign={orgId !== viewer.orgId}
        action={revoke}
        revoke={(because) => revoke.run({ memberId, ...because })}
        onDone={() => say(`The membership is revoked. Ended with it: ${endings.join('; ')}.`)}
      >
        <p>This also revokes:</p>
        <EndingsList of={endings} />
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

/** What ends with the membership, read before. */
function useEndings(memberId: string): readonly string[] {
  const keys = useWholeList('keys.list', { owner: memberId })
  const sessions = useWholeList('sessions.list', { memberId })
  const consents = useList('consents.list', { memberId }, ({ consentId }) => consentId)
  const agents = useList('agents.list', { memberId }, ({ agentId }) => agentId)
  return [
    `${counted(keys, 'key', ({ state }) => state !== 'revoked')}, with all tokens of the member`,
    counted(sessions, 'session'),
    `${counted(consents, 'consent', ({ state }) => state === 'valid')}, with every token and refresh token under them`,
    `${counted(agents, 'agent', (agent) => agent.memberId === memberId && agent.state !== 'revoked')} on devices of the member`,
  ]
}
