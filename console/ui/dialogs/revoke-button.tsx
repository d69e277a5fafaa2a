import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { EndReason, type RevocationReason } from '../../../src/protocol/end-reason.js'
import { Choice, Field } from '../forms/fields.js'
import { RevokeDialog } from './dialog.js'

type Reason = RevocationReason['reason']

const WORDS: Readonly<Record<Reason, string>> = {
  unspecified: 'no reason given',
  superseded: 'replaced by another',
  compromised: 'compromised',
  no_longer_needed: 'no longer needed',
  policy: 'policy',
  user_request: 'at the request of its user',
  suspicious_task_pattern: 'suspicious behaviour',
}

interface RevokeButtonProps {
  /** The name of the button. It says of what, because a list has many of them. */
  readonly label: string
  /** The word on the button. Default: `Revoke`. */
  readonly verb?: string
  readonly title: string
  /** The person types this before the button of the dialogue works. */
  readonly name: string
  /** False: the call takes no reason. */
  readonly hasReason?: boolean
  readonly action: { readonly isRunning: boolean; readonly error?: unknown }
  readonly revoke: (because: RevocationReason) => Promise<unknown>
  readonly onDone?: () => void
  /** What ends with it. */
  readonly children: ComponentChildren
}

/** A button that asks what for and for the name, and then revokes. */
export function RevokeButton(props: RevokeButtonProps) {
  const { label, verb = 'Revoke', title, name, hasReason = true, action, revoke, onDone, children } = props
  const [isOpen, open] = useState(false)
  const [reason, setReason] = useState<Reason>('unspecified')
  const [note, setNote] = useState('')
  const confirm = async () => {
    const result = await revoke({ reason, ...(note.trim() !== '' && { note: note.trim() }) })
    if (result !== undefined) onDone?.()
    return result
  }
  return (
    <>
      <button type="button" class="danger small" aria-label={label} onClick={() => open(true)}>
        {verb}
      </button>
      {isOpen && (
        <RevokeDialog
          title={title}
          verb={verb}
          name={name}
          error={action.error}
          isRunning={action.isRunning}
          onConfirm={confirm}
          onClose={() => open(false)}
        >
          {children}
          {hasReason && (
            <>
              <Choice
                label="Reason"
                name="reason"
                value={reason}
                onChange={(value) => setReason(EndReason.parse(value))}
                options={EndReason.options.map((option) => [option, WORDS[option]] as const)}
              />
              <Field
                label="Note"
                name="note"
                hint="Kept permanently in the audit log: do not enter personal data."
                value={note}
                onInput={setNote}
              />
            </>
          )}
        </RevokeDialog>
      )}
    </>
  )
}

/** The first part of an id, which a person types to confirm that this thing is meant. */
export const shortId = (id: string): string => id.slice(0, 10)

/** What ends with a thing, one line each. */
export const EndingsList = ({ of }: { readonly of: readonly string[] }) => (
  <ul>
    {of.map((line) => (
      <li key={line}>{line}</li>
    ))}
  </ul>
)
