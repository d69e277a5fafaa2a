import { useState } from 'preact/hooks'
import { useConsole } from '../../../api/console.js'
import { useAction } from '../../../api/use-action.js'
import { Field } from '../../../ui/forms/fields.js'
import { ErrorNote } from '../../../ui/notes.js'
import { Facts, Section } from '../../../ui/page.js'
import { Foreign } from '../../../ui/text.js'
import type { Abilities, AgentView } from '../abilities.js'
import { type CeilingDraft, type Change, changesOf, draftOf, inputOf, isWider, nameOfRight } from './ceiling-draft.js'
import { CeilingEditor, Rights, RightText } from './ceiling-editor.js'

/** The most that the agent may ever be given, and its editor. */
export function CeilingSection({ agent, abilities }: { readonly agent: AgentView; readonly abilities: Abilities }) {
  const { viewer } = useConsole()
  const [isEdited, setEdited] = useState(false)
  const isOfDevice = agent.memberId !== undefined
  return (
    <Section title="Ceiling">
      <p class="hint">The maximum permissions of the agent. Introductions and consents grant a part of them.</p>
      {isOfDevice && <p>The agent runs on a person's device, so the consents of that person are its ceiling.</p>}
      {isEdited ? (
        <EditForm agent={agent} abilities={abilities} onClose={() => setEdited(false)} />
      ) : (
        <>
          <CeilingFacts draft={draftOf(agent.ceiling, viewer.issuer)} />
          {abilities.mayChange && !isOfDevice && ['active', 'registered'].includes(agent.state) && (
            <button type="button" class="quiet" onClick={() => setEdited(true)}>
              Change the ceiling
            </button>
          )}
        </>
      )}
    </Section>
  )
}

export const CeilingFacts = ({
  draft: { scopes, rights, tools, resources, tokenSeconds, delegationDepth },
}: {
  readonly draft: CeilingDraft
}) => (
  <Facts
    of={{
      'At other audiences': rights.length === 0 ? 'cannot call others' : <Rights of={rights} />,
      'At this registry': scopes.length === 0 ? 'nothing' : scopes.join(', '),
      Tools: <Names of={tools} />,
      Resources: <Names of={resources} />,
      'Token lifetime': `at most ${tokenSeconds} s`,
      Delegation: delegationDepth === 0 ? 'none' : `depth of at most ${delegationDepth}`,
    }}
  />
)

function Names({ of }: { readonly of: readonly string[] | undefined }) {
  if (of === undefined) return <>any</>
  if (of.length === 0) return <>none</>
  return (
    <>
      {of.map((name) => (
        <span key={name}>
          <Foreign text={name} />{' '}
        </span>
      ))}
    </>
  )
}

function EditForm({
  agent,
  abilities,
  onClose,
}: {
  readonly agent: AgentView
  readonly abilities: Abilities
  readonly onClose: () => void
}) {
  const { viewer } = useConsole()
  const change = useAction('agents.change', ['agents', 'tokens'])
  const before = draftOf(agent.ceiling, viewer.issuer)
  const [draft, setDraft] = useState(before)
  const [note, setNote] = useState('')
  const changes = changesOf(before, draft)
  const save = async (event: Event) => {
    event.preventDefault()
    if (await change.run({ agentId: agent.agentId, ceiling: inputOf(draft), ...(note.trim() !== '' && { note }) })) onClose()
  }
  return (
    <form onSubmit={save}>
      <CeilingEditor draft={draft} onChange={setDraft} />
      <Difference changes={changes} />
      {changes.length > 0 && (
        <>
          {isWider(before, draft, viewer.issuer) && <Widening mayWiden={abilities.mayAdminister} />}
          <Field label="Why" name="note" value={note} hint="For the audit row of the change. May be empty." onInput={setNote} />
          <p>Saving revokes the tokens of the agent and of its child agents. They can request new ones within the new ceiling.</p>
        </>
      )}
      <ErrorNote error={change.error} />
      <button type="submit" disabled={changes.length === 0 || change.isRunning}>
        Save the ceiling
      </button>
      <button type="button" class="quiet" onClick={onClose}>
        Cancel
      </button>
    </form>
  )
}

const Widening = ({ mayWiden }: { readonly mayWiden: boolean }) => (
  <p class="note">
    This widens the ceiling.{' '}
    {mayWiden
      ? 'You may do this as an administrator.'
      : 'Only an administrator of the organisation can do this, so the registry will refuse the change.'}
  </p>
)

const Difference = ({ changes }: { readonly changes: readonly Change[] }) => (
  <section aria-label="Difference" aria-live="polite">
    <h3>Difference</h3>
    {changes.length === 0 ? (
      <p>No changes.</p>
    ) : (
      <ul>
        {changes.map(({ isAdded, right, text }) => (
          <li key={`${isAdded} ${right ? nameOfRight(right) : text}`}>
            {isAdded ? 'added: ' : 'removed: '}
            {right ? <RightText right={right} /> : <Foreign text={text ?? ''} />}
          </li>
        ))}
      </ul>
    )}
  </section>
)
