import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { Field } from '../../ui/forms/fields.js'
import { ErrorNote, Result } from '../../ui/notes.js'
import { Facts, Section } from '../../ui/page.js'

/** For how long the rows are kept. A shorter time removes rows for ever, so it asks first. */
export function Retention() {
  const { viewer } = useConsole()
  const retention = useQuery('audit.getRetention', {})
  const set = useAction('audit.setRetention', ['audit'])
  const [days, setDays] = useState<string>()
  const [asks, setAsks] = useState(false)
  const current = retention.data
  const shown = days ?? String(current?.days ?? '')
  const next = shown.trim() === '' ? null : Number(shown)
  const isShorter = next !== null && next < (current?.days ?? Number.POSITIVE_INFINITY)
  const save = () => set.run({ days: next })
  return (
    <Section title="Retention">
      <Result of={retention}>
        {(view) => (
          <Facts
            of={{ 'rows are kept': view.days === null ? 'indefinitely' : `${view.days} days`, 'at least': `${view.minimumDays} days` }}
          />
        )}
      </Result>
      {viewer.role === 'administrator' && current && (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            if (isShorter) setAsks(true)
            else void save()
          }}
        >
          <Field label="Days" name="days" type="number" hint="Empty: rows are kept indefinitely" value={shown} onInput={setDays} />
          <button type="submit" class="quiet" disabled={set.isRunning || next === current.days}>
            Set
          </button>
          {!asks && <ErrorNote error={set.error} />}
        </form>
      )}
      {asks && (
        <RevokeDialog
          title={`Keep rows for only ${next} days`}
          verb="Set"
          name={`${next} days`}
          error={set.error}
          isRunning={set.isRunning}
          onConfirm={save}
          onClose={() => setAsks(false)}
        >
          <p>
            Older rows are permanently removed, now and every day from then on. Their times and digests stay, so the chain can still be
            verified.
          </p>
        </RevokeDialog>
      )}
    </Section>
  )
}
