import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { Done } from '../../ui/done.js'
import { Field } from '../../ui/forms/fields.js'
import { Empty, ErrorNote } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Code, Command, Foreign, Time } from '../../ui/text.js'
import { profileNameOf } from './abilities.js'
import { inputOf, NEW_CEILING } from './ceiling/ceiling-draft.js'
import { Presets } from './ceiling/ceiling-editor.js'
import { CeilingFacts } from './ceiling/ceiling-section.js'
import { ModeChoice } from './policy-section.js'

/** Registers an agent, and shows once with what its machine confirms. */
export function RegisterAgent() {
  const { viewer } = useConsole()
  const [registered, setRegistered] = useState<{ readonly name: string; readonly agent: Output<'agents.register'> } | undefined>()
  if (viewer.role === 'person')
    return (
      <Page title="Register an agent">
        <Empty>
          <p>Members of an organisation register its agents. You can let a program on your own device act for you:</p>
          <Command text={`credence agent connect NAME --registry ${viewer.issuer}`} />
        </Empty>
      </Page>
    )
  return (
    <Page title="Register an agent">
      {registered ? <Registered {...registered} /> : <RegisterForm onRegistered={(name, agent) => setRegistered({ name, agent })} />}
    </Page>
  )
}

function RegisterForm({ onRegistered }: { readonly onRegistered: (name: string, agent: Output<'agents.register'>) => void }) {
  const register = useAction('agents.register', ['agents'])
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [ceiling, setCeiling] = useState(NEW_CEILING)
  const [mode, setMode] = useState<'ask' | 'open' | 'closed'>('ask')
  const submit = async (event: Event) => {
    event.preventDefault()
    const prose = description.trim() === '' ? {} : { description }
    const agent = await register.run({ name, ...prose, ceiling: inputOf(ceiling), introductionPolicy: { mode } })
    if (agent) onRegistered(name, agent)
  }
  return (
    <form onSubmit={submit}>
      <Field label="Name" name="name" value={name} required hint="Unique in your organisation." onInput={setName} />
      <Field
        label="Description"
        name="description"
        value={description}
        hint="For the people of your organisation. Optional."
        onInput={setDescription}
      />
      <ModeChoice mode={mode} onChange={setMode} />
      <h2>Ceiling</h2>
      <p class="hint">
        The maximum permissions of the agent. Its page has the full editor; later, only an administrator can widen the ceiling.
      </p>
      <Presets draft={ceiling} onChange={setCeiling} />
      <CeilingFacts draft={ceiling} />
      <ErrorNote error={register.error} />
      <button type="submit" disabled={name.trim() === '' || register.isRunning}>
        Register the agent
      </button>
    </form>
  )
}

function Registered({ name, agent }: { readonly name: string; readonly agent: Output<'agents.register'> }) {
  return (
    <>
      <Done>
        <Foreign text={name} /> is registered. It becomes active when its own key confirms the registration.
      </Done>
      <h2>On the machine of the agent</h2>
      <p>
        Run this command there. It generates the agent's key, which stays on that machine, and asks for the registration token. The token
        works once, until <Time at={agent.expiresAt} />.
      </p>
      <ConfirmCommand agentId={agent.agentId} name={name} />
      <h3>Registration token</h3>
      <p>
        <strong>It is shown only once.</strong> The registry stores only its hash.
      </p>
      <Command text={agent.registrationToken} />
      <p>
        The agent is <Code>{agent.agentId}</Code>. Its audience is <Code>{agent.audience}</Code>.
      </p>
      <a class="button" href={`/console/agents/${agent.agentId}`}>
        Show the agent
      </a>
    </>
  )
}

/** The command with which an agent confirms its registration. It asks for the token, so that the token gets into no history of a shell. */
export function ConfirmCommand({ agentId, name }: { readonly agentId: string; readonly name: string }) {
  const { viewer } = useConsole()
  return <Command text={`credence agent confirm ${agentId} --registry ${viewer.issuer} --profile ${profileNameOf(name)}`} />
}
