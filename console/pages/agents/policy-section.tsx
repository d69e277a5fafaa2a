import { useState } from 'preact/hooks'
import type { Input } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { Choice, Field } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'
import { Facts, Section } from '../../ui/page.js'
import { Foreign } from '../../ui/text.js'
import type { Abilities, AgentView } from './abilities.js'
import { Lines } from './lines.js'

type Policy = NonNullable<Input<'agents.register'>['introductionPolicy']>

const DAY_SECONDS = 86_400

const MODES: readonly (readonly [Policy['mode'], string])[] = [
  ['ask', 'ask: you or the agent decide about each request'],
  ['open', 'open: granted automatically, within the conditions'],
  ['closed', 'closed: every request is refused'],
]
const CAPABILITIES: readonly (readonly [NonNullable<Policy['capabilities']>, string])[] = [
  ['ask', 'ask about each request'],
  ['open', 'treat them like other requests'],
  ['closed', 'never ask the agent'],
]

/** How requests for an introduction to the agent are decided. */
export function PolicySection({ agent, abilities }: { readonly agent: AgentView; readonly abilities: Abilities }) {
  const [isEdited, setEdited] = useState(false)
  const { mode, organisations, scopes, capabilities, maxSeconds } = agent.introductionPolicy
  if (isEdited)
    return (
      <Section title="Introduction policy">
        <EditForm agent={agent} onClose={() => setEdited(false)} />
      </Section>
    )
  return (
    <Section title="Introduction policy">
      <Facts
        of={{
          Requests: MODES.find(([one]) => one === mode)?.[1],
          'From organisations': organisations === undefined ? 'all' : <Texts of={organisations} />,
          'Granted automatically': mode !== 'open' ? undefined : scopes === undefined ? 'every scope of the card' : <Texts of={scopes} />,
          'Requests for a capability': CAPABILITIES.find(([one]) => one === (capabilities ?? 'ask'))?.[1],
          'Longest introduction': `${maxSeconds / DAY_SECONDS} days`,
        }}
      />
      {abilities.mayChange && ['active', 'registered'].includes(agent.state) && (
        <button type="button" class="quiet" onClick={() => setEdited(true)}>
          Change the introduction policy
        </button>
      )}
    </Section>
  )
}

const Texts = ({ of }: { readonly of: readonly string[] }) => (
  <>
    {of.length === 0 && 'none'}
    {of.map((text) => (
      <span key={text}>
        <Foreign text={text} />{' '}
      </span>
    ))}
  </>
)

function EditForm({ agent, onClose }: { readonly agent: AgentView; readonly onClose: () => void }) {
  const change = useAction('agents.change', ['agents'])
  const [policy, setPolicy] = useState<Policy>(agent.introductionPolicy)
  const save = async (event: Event) => {
    event.preventDefault()
    if (await change.run({ agentId: agent.agentId, introductionPolicy: policy })) onClose()
  }
  return (
    <form onSubmit={save}>
      <PolicyFields policy={policy} onChange={setPolicy} />
      <p class="hint">Existing introductions stay valid until they expire or are revoked.</p>
      <ErrorNote error={change.error} />
      <button type="submit" disabled={change.isRunning || JSON.stringify(policy) === JSON.stringify(agent.introductionPolicy)}>
        Save the introduction policy
      </button>
      <button type="button" class="quiet" onClick={onClose}>
        Cancel
      </button>
    </form>
  )
}

export function PolicyFields({ policy, onChange }: { readonly policy: Policy; readonly onChange: (policy: Policy) => void }) {
  const { mode, organisations, scopes, capabilities, maxSeconds = 30 * DAY_SECONDS } = policy
  const change = (changes: { readonly [K in keyof Policy]?: Policy[K] | undefined }) =>
    onChange(Object.fromEntries(Object.entries({ ...policy, ...changes }).filter(([, value]) => value !== undefined)) as Policy) // without those that are absent
  return (
    <>
      <ModeChoice mode={mode} onChange={(chosen) => change({ mode: chosen })} />
      {mode !== 'closed' && (
        <>
          <Lines
            label="From these organisations"
            hint="Ids (org_…), one per line. Empty: all."
            value={organisations ?? []}
            onChange={(lines) => change({ organisations: lines.length > 0 ? [...lines] : undefined })}
          />
          {mode === 'open' && (
            <Lines
              label="Scopes that are granted automatically"
              hint="One per line. Empty: every scope of the card."
              value={scopes ?? []}
              onChange={(lines) => change({ scopes: lines.length > 0 ? [...lines] : undefined })}
            />
          )}
          <Choice
            label="Requests for a capability"
            name="capabilities"
            value={capabilities ?? 'ask'}
            options={CAPABILITIES}
            onChange={(chosen) => change({ capabilities: CAPABILITIES.find(([one]) => one === chosen)?.[0] })}
          />
          <Field
            label="Longest introduction in days"
            name="days"
            type="number"
            value={`${maxSeconds / DAY_SECONDS}`}
            hint="1 to 366."
            onInput={(text) => change({ maxSeconds: Math.round(Number(text) * DAY_SECONDS) })}
          />
        </>
      )}
    </>
  )
}

export const ModeChoice = ({ mode, onChange }: { readonly mode: Policy['mode']; readonly onChange: (mode: Policy['mode']) => void }) => (
  <Choice
    label="Requests for an introduction"
    name="mode"
    value={mode}
    options={MODES}
    onChange={(chosen) => onChange(MODES.find(([one]) => one === chosen)?.[0] ?? 'ask')}
  />
)
