import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { RevocationReason } from '../../../src/protocol/end-reason.js'
import { RevokeDialog } from './dialog.js'
import { ReasonFields, UNSPECIFIED } from './reason-fields.js'

interface RevokeButtonProps {
  /** The name of the button. It says of what, because a list has many of them. */
  readonly label: string
  /** The word on the button. Default: `Revoke`. */
  readonly verb?: string
  readonly title: string
  /** The person types this before the button of the dialogue works. */
  readonly name: string
  /** The id of the thing, which stands beside its name. */
  readonly id?: string
  /** True if another organisation, or a program, chose the name. */
  readonly isForeign?: boolean
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
  const { label, verb = 'Revoke', title, name, id, isForeign = false, hasReason = true, action, revoke, onDone, children } = props
  const [isOpen, open] = useState(false)
  const [because, setBecause] = useState(UNSPECIFIED)
  const confirm = async () => {
    const result = await revoke(because)
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
          {...(id !== undefined && { id })}
          isForeign={isForeign}
          error={action.error}
          isRunning={action.isRunning}
          onConfirm={confirm}
          onClose={() => open(false)}
        >
          {children}
          {hasReason && <ReasonFields value={because} onChange={setBecause} />}
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
