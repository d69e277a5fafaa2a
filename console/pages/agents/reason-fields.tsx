import { EndReason } from '../../../src/protocol/end-reason.js'
import { Choice, Field } from '../../ui/forms/fields.js'

export interface Because {
  readonly reason: (typeof EndReason.options)[number]
  readonly note?: string
}

export const UNSPECIFIED: Because = { reason: 'unspecified' }

const WORDS: Readonly<Record<Because['reason'], string>> = {
  unspecified: 'no reason given',
  superseded: 'replaced by another',
  compromised: 'compromised: a key may have been stolen',
  no_longer_needed: 'no longer needed',
  policy: 'against a rule of the organisation',
  user_request: 'asked for by a person',
  suspicious_task_pattern: 'a suspicious pattern of tasks',
}

/** Why something is revoked or suspended. */
export function ReasonFields({ value, onChange }: { readonly value: Because; readonly onChange: (because: Because) => void }) {
  const { reason, note } = value
  return (
    <>
      <Choice
        label="Reason"
        name="reason"
        value={reason}
        options={EndReason.options.map((option) => [option, WORDS[option]])}
        onChange={(chosen) => onChange({ ...value, reason: EndReason.parse(chosen) })}
      />
      <Field
        label="Note"
        name="note"
        value={note ?? ''}
        hint="Kept permanently in the audit log: do not enter personal data."
        onInput={(text) => onChange({ reason, ...(text.trim() !== '' && { note: text }) })}
      />
    </>
  )
}
