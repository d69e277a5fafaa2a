import { useState } from 'preact/hooks'
import { useConsole } from '../../../api/console.js'
import { useAction } from '../../../api/use-action.js'
import { Dialog, RevokeDialog } from '../../../ui/dialogs/dialog.js'
import { ReasonFields, UNSPECIFIED } from '../../../ui/dialogs/reason-fields.js'
import { Choice, Field } from '../../../ui/forms/fields.js'
import { localText, secondsOf } from '../../../ui/forms/local-time.js'
import { ErrorNote } from '../../../ui/notes.js'
import { Code } from '../../../ui/text.js'
import type { AgentView } from '../abilities.js'
import type { KeyView } from './keys-section.js'

interface KeyDialogProps {
  readonly agent: AgentView
  readonly of: KeyView
  readonly onDone: (what: string) => void
  readonly onClose: () => void
}

const OVERLAPS: readonly (readonly [string, string])[] = [
  ['3600', 'one hour'],
  ['86400', 'one day'],
  ['604800', 'one week'],
  ['0', 'no overlap: effective immediately'],
]

/** A retired key stops working without a stop of the agent, which has another key by then. */
export function Retire({ of: { keyId }, onDone, onClose }: KeyDialogProps) {
  const retire = useAction('keys.retire', ['keys'])
  const [overlap, setOverlap] = useState('3600')
  const confirm = async (event: Event) => {
    event.preventDefault()
    if ((await retire.run({ keyId, overlapSeconds: Number(overlap) })) === undefined) return
    onDone(`The key ${keyId} is retired.`)
    onClose()
  }
  return (
    <Dialog title="Retire the key" onClose={onClose}>
      <p>
        After the overlap, <Code>{keyId}</Code> is no longer accepted. Tokens that were issued with it stay valid until they expire.
      </p>
      <form onSubmit={confirm}>
        <Choice label="Keep accepting it for" name="overlap" value={overlap} options={OVERLAPS} onChange={setOverlap} />
        <ErrorNote error={retire.error} />
        <button type="submit" disabled={retire.isRunning}>
          Retire
        </button>
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
      </form>
    </Dialog>
  )
}

export function RevokeKey({ agent, of: { keyId }, onDone, onClose }: KeyDialogProps) {
  const { viewer } = useConsole()
  const revoke = useAction('keys.revoke', ['keys', 'agents', 'tokens'])
  const [because, setBecause] = useState(UNSPECIFIED)
  const confirm = async () => {
    const result = await revoke.run({ keyId, ...because })
    if (result) onDone(`The key ${keyId} is revoked, with every token that it authenticated.`)
    return result
  }
  return (
    <RevokeDialog
      title="Revoke the key"
      verb="Revoke the key"
      name={agent.name}
      id={agent.agentId}
      isForeign={agent.orgId !== viewer.orgId}
      error={revoke.error}
      isRunning={revoke.isRunning}
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>
        This immediately revokes <Code>{keyId}</Code>, every token that was issued with it, and the cards that only it signed. Without
        another key the agent can no longer authenticate.
      </p>
      <ReasonFields value={because} onChange={setBecause} />
    </RevokeDialog>
  )
}

export function Compromise({ agent, of: { keyId, registeredAt }, onDone, onClose }: KeyDialogProps) {
  const { viewer } = useConsole()
  const compromise = useAction('keys.compromise', ['keys', 'agents', 'tokens'])
  const [since, setSince] = useState(localText(registeredAt))
  const seconds = secondsOf(since)
  const confirm = async () => {
    if (seconds === undefined) return undefined
    const result = await compromise.run({ keyId, since: seconds })
    if (result) onDone(`The key ${keyId} is banned. ${result.revokedCount} keys and grants were revoked.`)
    return result
  }
  return (
    <RevokeDialog
      title="The key was stolen"
      verb="Revoke what it granted"
      name={agent.name}
      id={agent.agentId}
      isForeign={agent.orgId !== viewer.orgId}
      error={compromise.error}
      isRunning={compromise.isRunning || seconds === undefined}
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>
        This immediately revokes <Code>{keyId}</Code>, the keys that the agent has registered since the theft, and everything that these
        keys have granted since. Unused one-time codes become invalid. The key is never accepted again.
      </p>
      <Field label="Stolen since" name="since" type="datetime-local" value={since} hint="In your time zone." onInput={setSince} />
    </RevokeDialog>
  )
}
