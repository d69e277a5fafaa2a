import { useState } from 'preact/hooks'
import { useConsole } from '../../../api/console.js'
import { useAction } from '../../../api/use-action.js'
import { useQuery } from '../../../api/use-query.js'
import { Choice, Field } from '../../../ui/forms/fields.js'
import { ErrorNote, Result } from '../../../ui/notes.js'
import { Section } from '../../../ui/page.js'
import { Foreign } from '../../../ui/text.js'
import type { Abilities, AgentView } from '../abilities.js'
import { draftOf, inputOf } from './ceiling-draft.js'
import { CeilingFacts } from './ceiling-section.js'

interface LevelProps {
  readonly agent: AgentView
  readonly abilities: Abilities
}

/** The scope level of the organisation within which the agent stays. */
export function LevelSection({ agent, abilities }: LevelProps) {
  const { viewer } = useConsole()
  const levels = useQuery('levels.list', abilities.maySeeActivity ? { orgId: agent.orgId } : undefined)
  return (
    <Section title="Scope level">
      <p class="hint">A named ceiling of the organisation. An agent cannot exceed its level.</p>
      <p>
        {agent.maxScopeLevel === undefined ? (
          'The agent has no level.'
        ) : (
          <>
            The agent is limited to <Foreign text={agent.maxScopeLevel} />.
          </>
        )}
      </p>
      <Result of={levels}>
        {({ items }) => (
          <>
            {items
              .filter(({ name }) => name === agent.maxScopeLevel)
              .map(({ name, ceiling }) => (
                <details key={name}>
                  <summary>What the level allows</summary>
                  <CeilingFacts draft={draftOf(ceiling, viewer.issuer)} />
                </details>
              ))}
            {abilities.mayChange && (abilities.mayAdminister || agent.maxScopeLevel === undefined) && items.length > 0 && (
              <LevelForm agent={agent} names={items.map(({ name }) => name)} mayRemove={abilities.mayAdminister} />
            )}
            {abilities.mayAdminister && <Levels agent={agent} names={items.map(({ name }) => name)} />}
          </>
        )}
      </Result>
    </Section>
  )
}

function LevelForm({
  agent,
  names,
  mayRemove,
}: {
  readonly agent: AgentView
  readonly names: readonly string[]
  readonly mayRemove: boolean
}) {
  const change = useAction('agents.change', ['agents', 'tokens'])
  const current = agent.maxScopeLevel ?? ''
  const [level, setLevel] = useState(current)
  const save = async (event: Event) => {
    event.preventDefault()
    await change.run({ agentId: agent.agentId, maxScopeLevel: level === '' ? null : level })
  }
  return (
    <form onSubmit={save}>
      <Choice
        label="Level"
        name="level"
        value={level}
        options={[...(mayRemove || current === '' ? [['', 'none'] as const] : []), ...names.map((name) => [name, name] as const)]}
        onChange={setLevel}
      />
      <p class="hint">Changing the level revokes the tokens of the agent. Only an administrator can replace or remove a level.</p>
      <ErrorNote error={change.error} />
      <button type="submit" disabled={level === current || change.isRunning}>
        Save the level
      </button>
    </form>
  )
}

/** The levels of the organisation: an administrator makes them from the ceiling of an agent, and removes those that no agent uses. */
function Levels({ agent, names }: { readonly agent: AgentView; readonly names: readonly string[] }) {
  const { viewer } = useConsole()
  const set = useAction('levels.set', ['levels', 'tokens'])
  const remove = useAction('levels.remove', ['levels'])
  const [name, setName] = useState('')
  const save = async (event: Event) => {
    event.preventDefault()
    if (await set.run({ name, ceiling: inputOf(draftOf(agent.ceiling, viewer.issuer)) })) setName('')
  }
  return (
    <details>
      <summary>Levels of the organisation</summary>
      {names.length === 0 ? (
        <p>There are no levels. Create one from the ceiling of this agent.</p>
      ) : (
        <ul>
          {names.map((one) => (
            <li key={one}>
              <Foreign text={one} />{' '}
              <button
                type="button"
                class="quiet small"
                aria-label={`Remove the level ${one}`}
                disabled={remove.isRunning}
                onClick={() => remove.run({ name: one })}
              >
                Remove
              </button>
            </li>
          ))}
        </ul>
      )}
      <ErrorNote error={remove.error} />
      <form onSubmit={save}>
        <Field
          label="Name of the level"
          name="level-name"
          value={name}
          hint="The level gets the ceiling of this agent. An existing name replaces that level and revokes the tokens of every agent that has it."
          onInput={setName}
        />
        <ErrorNote error={set.error} />
        <button type="submit" class="quiet" disabled={name.trim() === '' || set.isRunning}>
          {names.includes(name) ? 'Replace the level' : 'Create the level'}
        </button>
      </form>
    </details>
  )
}
