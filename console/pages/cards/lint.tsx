import { useState } from 'preact/hooks'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { TextArea } from '../../ui/forms/text-area.js'
import { ErrorNote } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Foreign, State } from '../../ui/text.js'

type Linted = Output<'cards.lint'>

/** Checks the published card, or one that is pasted, by the rules of publication. A card is sent in the body of a POST, because a query string has less room. */
export function Lint({ publicCard }: { readonly publicCard: string | undefined }) {
  const lint = useAction('cards.lint', [])
  const [pasted, setPasted] = useState('')
  const [result, setResult] = useState<{ readonly of: string; readonly linted: Linted } | undefined>(undefined)
  const check = async (of: string, card: string) => {
    const linted = await lint.run({ card })
    setResult(linted && { of, linted })
  }
  return (
    <Section title="Check a card">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void check('the pasted card', pasted)
        }}
      >
        {publicCard !== undefined && (
          <button type="button" disabled={lint.isRunning} onClick={() => check('the published card', publicCard)}>
            Check the published card
          </button>
        )}
        <TextArea
          label="Another card"
          name="card"
          hint="JSON, at most 64 KiB. Nothing is published."
          value={pasted}
          onInput={setPasted}
          rows={6}
        />
        <button type="submit" disabled={lint.isRunning || pasted.trim() === ''}>
          Check the pasted card
        </button>
      </form>
      <ErrorNote error={lint.error} />
      <div aria-live="polite">{result && <Faults {...result} />}</div>
    </Section>
  )
}

function Faults({
  of,
  linted: { state, a2aVersion, canPublish, canImport, faults, moreFaults },
}: {
  readonly of: string
  readonly linted: Linted
}) {
  const uses = [
    canPublish ? 'can be published once it is signed' : 'cannot be published',
    canImport ? 'can be imported' : 'cannot be imported',
  ]
  return (
    <>
      <h3>Result for {of}</h3>
      <p>
        <State state={state} /> {a2aVersion !== undefined && `A2A ${a2aVersion}. `}The card {uses.join(', and ')}.{' '}
        {faults.length === 0 && 'No faults found.'}
      </p>
      <ul class="items">
        {faults.map(({ code, pointer, hint, publish }, i) => (
          <li key={`${i} ${code}`}>
            <code>{code}</code> <State state={publish} /> at {pointer === '' ? 'the whole card' : <Foreign text={pointer} />}:{' '}
            <Foreign text={hint} max={1024} />
          </li>
        ))}
      </ul>
      {moreFaults > 0 && <p>{moreFaults} more faults are not shown.</p>}
    </>
  )
}
