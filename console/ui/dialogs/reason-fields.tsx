import { EndReason, type RevocationReason } from '../../../src/protocol/end-reason.js'
import { Choice, Field } from '../forms/fields.js'

export const UNSPECIFIED: RevocationReason = { reason: 'unspecified' }

const WORDS: Readonly<Record<Reason, string>> = {
  unspecified: 'no reason given',
  superseded: 'replaced by another',
  compromised: 'compromised: a key may have been stolen',
  no_longer_needed: 'no longer needed',
  policy: 'against a rule of the organisation',
  user_request: 'asked for by a person',
  suspicious_task_pattern: 'a suspicious pattern of tasks',
}

type Reason = RevocationReason['reason']

const OPTIONS = EndReason.options.map((reason) => [reason, WORDS[reason]] as const)

interface ReasonChoiceProps {
  readonly value: Reason
  readonly onChange: (reason: Reason) => void
}

export const ReasonChoice = ({ value, onChange }: ReasonChoiceProps) => (
  <Choice label="Reason" name="reason" options={OPTIONS} value={value} onChange={(chosen) => onChange(EndReason.parse(chosen))} />
)

/** Why something is revoked or suspended. */
export function ReasonFields({
  value,
  onChange,
}: {
  readonly value: RevocationReason
  readonly onChange: (because: RevocationReason) => void
}) {
  const { reason, note } = value
  return (
    <>
      <ReasonChoice value={reason} onChange={(chosen) => onChange({ ...value, reason: chosen })} />
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
