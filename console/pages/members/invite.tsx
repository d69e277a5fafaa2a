import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import type { Input } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { Choice } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'
import { Command, Time } from '../../ui/text.js'

type MemberRole = Input<'members.invite'>['role']

const WORDS: Readonly<Record<MemberRole, string>> = {
  person: 'person: consents and approves, sees only its own things',
  member: 'member: acts for the organisation',
  administrator: 'administrator: also manages members, keys and limits',
  operator: 'operator: runs this registry',
}

/** Makes an invitation, and shows its code once. */
export function Invite({ orgId }: { readonly orgId: string }) {
  const { viewer } = useConsole()
  const isOwn = orgId === viewer.orgId
  const roles = rolesFor(viewer.role === 'operator', isOwn)
  const [role, setRole] = useState<MemberRole>(roles[0] ?? 'person')
  const [invited, setInvited] = useState<{ readonly code: string; readonly expiresAt: number; readonly role: MemberRole }>()
  const invite = useAction('members.invite', [])
  const submit = async (event: Event) => {
    event.preventDefault()
    const result = await invite.run({ orgId, role })
    if (result) setInvited({ ...result, role })
  }
  return (
    <>
      <form onSubmit={submit}>
        <Choice
          label="Role"
          name="role"
          value={role}
          onChange={(value) => setRole(roles.find((one) => one === value) ?? role)}
          options={roles.map((one) => [one, WORDS[one]] as const)}
        />
        {viewer.role === 'operator' && !isOwn && (
          <p class="hint">An operator invites an administrator only while the organisation has none.</p>
        )}
        <ErrorNote error={invite.error} />
        <button type="submit" disabled={invite.isRunning}>
          Invite
        </button>
      </form>
      <div aria-live="polite">{invited && <Invitation {...invited} />}</div>
    </>
  )
}

function rolesFor(isOperator: boolean, isOwn: boolean): readonly MemberRole[] {
  if (!isOperator) return ['person', 'member', 'administrator']
  return isOwn ? ['operator'] : ['administrator', 'member', 'person']
}

function Invitation({ code, expiresAt, role }: { readonly code: string; readonly expiresAt: number; readonly role: MemberRole }) {
  const { issuer } = useConsole().viewer
  return (
    <div class="note">
      <p>
        <strong>The code is shown only once.</strong> Anyone who has it can join once, as {role}, until <Time at={expiresAt} />.
      </p>
      <p>Send the person this link, which opens in a browser:</p>
      <Command text={`${issuer}/invitation#${code}`} />
      <p>Or, for the command line, which asks for the code:</p>
      <Command text={`credence login --registry ${issuer} --name NAME --code -`} />
      <Command text={code} />
    </div>
  )
}
