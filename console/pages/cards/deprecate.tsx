import { useState } from 'preact/hooks'
import { AgentId } from '../../../src/protocol/ids.js'
import { useAction } from '../../api/use-action.js'
import { Field } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'

const CHANGES = ['cards', 'discovery']

/** Advises callers against the current version, or takes that back. Nothing ends. */
export function Deprecation({ agentId, isDeprecated }: { readonly agentId: AgentId; readonly isDeprecated: boolean }) {
  const undeprecate = useAction('cards.undeprecate', CHANGES)
  if (!isDeprecated) return <Deprecate agentId={agentId} />
  return (
    <Section title="Deprecation">
      <p>Callers are advised against this version. They can still call the agent.</p>
      <ErrorNote error={undeprecate.error} />
      <button type="button" disabled={undeprecate.isRunning} onClick={() => undeprecate.run({ agentId })}>
        Undo the deprecation
      </button>
    </Section>
  )
}

function Deprecate({ agentId }: { readonly agentId: AgentId }) {
  const deprecate = useAction('cards.deprecate', CHANGES)
  const [successor, setSuccessor] = useState('')
  const [note, setNote] = useState('')
  const parsed = AgentId.safeParse(successor.trim())
  const isWrong = successor.trim() !== '' && !parsed.success
  const submit = (event: Event) => {
    event.preventDefault()
    if (isWrong) return
    void deprecate.run({ agentId, ...(parsed.success && { successor: parsed.data }), ...(note.trim() !== '' && { note: note.trim() }) })
  }
  return (
    <Section title="Deprecation">
      <p>A deprecation advises callers against this version. Nothing is revoked, and the next version is not deprecated.</p>
      <form onSubmit={submit}>
        <Field
          label="Agent to call instead"
          name="successor"
          value={successor}
          onInput={setSuccessor}
          hint={isWrong ? 'Not an agent id: expected "agt_" and 22 characters.' : 'Optional: the id of an agent with a published card.'}
        />
        <Field
          label="Note for callers"
          name="deprecation"
          value={note}
          onInput={setNote}
          hint="Optional, public, at most 256 characters."
        />
        <ErrorNote error={deprecate.error} />
        <button type="submit" disabled={deprecate.isRunning || isWrong}>
          Deprecate this version
        </button>
      </form>
    </Section>
  )
}
