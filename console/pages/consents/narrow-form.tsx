import { useState } from 'preact/hooks'
import { useAction } from '../../api/use-action.js'
import { BoundsBoxes, useBoundsChoice } from '../../ui/forms/bounds.js'
import { Field } from '../../ui/forms/fields.js'
import { dayText, secondsOf } from '../../ui/forms/local-time.js'
import { ErrorNote } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { boundsOf, type Consent, wordsIn } from './rights.js'

interface NarrowFormProps {
  readonly consent: Consent
  readonly onNarrowed: (what: string) => void
}

/** Unticks what the client may no longer do, or sets an earlier end. What was given up comes back only if the person consents again. */
export function NarrowForm({ consent, onNarrowed }: NarrowFormProps) {
  const { consentId, until } = consent
  const narrowing = useAction('consents.narrow', ['consents', 'families', 'tokens'])
  const choice = useBoundsChoice(boundsOf(consent))
  const [lastDay, setLastDay] = useState(dayText(until))
  const chosen = lastDay === dayText(until) ? undefined : secondsOf(lastDay)
  const earlier = chosen !== undefined && chosen < until ? { until: chosen } : {}
  const changes = { ...choice.kept, ...earlier }
  const narrow = async (event: Event) => {
    event.preventDefault()
    const result = await narrowing.run({ consentId, ...changes })
    if (result) onNarrowed('Narrowed. The tokens that were issued under it before have ended.')
  }
  return (
    <Section title="Allow less">
      <form onSubmit={narrow}>
        <BoundsBoxes choice={choice} wordsOf={wordsIn(consent)} />
        <Field label="Last day" name="until" type="date" value={lastDay} onInput={setLastDay} />
        <p class="hint">
          This revokes the current tokens and those that were derived from them. The client can request new ones for what stays ticked. To
          restore what you untick, you must consent again.
        </p>
        {!choice.isValid && <p class="hint">Leave at least one scope ticked. To allow nothing, revoke the consent.</p>}
        <ErrorNote error={narrowing.error} />
        <button type="submit" disabled={Object.keys(changes).length === 0 || !choice.isValid || narrowing.isRunning}>
          Keep only what is ticked
        </button>
      </form>
    </Section>
  )
}
