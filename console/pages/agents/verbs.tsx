import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { Dialog, RevokeDialog } from '../../ui/dialogs/dialog.js'
import { ReasonFields, UNSPECIFIED } from '../../ui/dialogs/reason-fields.js'
import { Done } from '../../ui/done.js'
import { NameOf } from '../../ui/names/name.js'
import { ErrorNote } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Foreign } from '../../ui/text.js'
import type { Abilities, AgentView } from './abilities.js'
import { ConfirmCommand } from './register-agent.js'
import { useEndings, WhatEnds } from './what-ends.js'

interface VerbsProps {
  readonly agent: AgentView
  readonly abilities: Abilities
}

const DESCRIPTIONS: Readonly<Record<AgentView['state'], string>> = {
  registered: 'The agent has no key yet, so it cannot act.',
  active: 'The agent may act within its ceiling.',
  suspended: 'The agent cannot act until it is reinstated. Its earlier tokens and introductions stay revoked.',
  revoked: 'The agent is permanently revoked. Register a new one to replace it.',
}

/** What the state of the agent means, and what may be done about it. */
export function Verbs({ agent, abilities }: VerbsProps) {
  const [open, setOpen] = useState<'suspend' | 'revoke' | undefined>()
  const [ended, setEnded] = useState<readonly string[]>([])
  const { state } = agent
  const isEnded = state === 'revoked' || state === 'suspended'
  return (
    <Section title="State">
      <p>{DESCRIPTIONS[state]}</p>
      {state === 'registered' && <ToConfirm agent={agent} />}
      <Done>
        {ended.length > 0 && isEnded && (
          <>
            <Foreign text={agent.name} /> is {state}. Ended with it: {ended.join(', ')}.
          </>
        )}
      </Done>
      {state === 'active' && (
        <button type="button" onClick={() => setOpen('suspend')}>
          Suspend
        </button>
      )}
      {state === 'suspended' && abilities.mayReinstate && <Reinstate agent={agent} />}
      {state !== 'revoked' && abilities.mayRevoke && (
        <button type="button" class="danger" onClick={() => setOpen('revoke')}>
          Revoke
        </button>
      )}
      {state === 'revoked' && (
        <a class="button" href="/console/agents/register">
          Register another agent
        </a>
      )}
      {open === 'suspend' && <Suspend agent={agent} abilities={abilities} onEnded={setEnded} onClose={() => setOpen(undefined)} />}
      {open === 'revoke' && <Revoke agent={agent} abilities={abilities} onEnded={setEnded} onClose={() => setOpen(undefined)} />}
    </Section>
  )
}

function ToConfirm({ agent: { agentId, name, clientUri } }: { readonly agent: AgentView }) {
  if (clientUri !== undefined)
    return (
      <p>
        It becomes active when it first authenticates with a key in its metadata at <Foreign text={clientUri} />.
      </p>
    )
  return (
    <>
      <p>To confirm it, run this command on its machine with the registration token, which was shown once at the registration:</p>
      <ConfirmCommand agentId={agentId} name={name} />
      <p class="hint">The token is valid for 24 hours. If it is lost or expired, revoke this agent and register another one.</p>
    </>
  )
}

function Reinstate({ agent: { agentId } }: { readonly agent: AgentView }) {
  const reinstate = useAction('agents.reinstate', ['agents', 'keys', 'tokens'])
  return (
    <>
      <p class="hint">A reinstated agent must request its introductions again.</p>
      <ErrorNote error={reinstate.error} />
      <button type="button" disabled={reinstate.isRunning} onClick={() => reinstate.run({ agentId })}>
        Reinstate
      </button>
    </>
  )
}

interface EndProps extends VerbsProps {
  readonly onEnded: (texts: readonly string[]) => void
  readonly onClose: () => void
}

/** The agent may be reinstated, so its name is not asked for. */
function Suspend({ agent, abilities, onEnded, onClose }: EndProps) {
  const suspend = useAction('agents.suspend', ['agents', 'tokens', 'introductions'])
  const endings = useEndings(agent, abilities, 'suspend')
  const [because, setBecause] = useState(UNSPECIFIED)
  const confirm = async (event: Event) => {
    event.preventDefault()
    const { texts } = endings
    if ((await suspend.run({ agentId: agent.agentId, ...because })) === undefined) return
    onEnded(texts)
    onClose()
  }
  return (
    <Dialog title="Suspend the agent" onClose={onClose}>
      <p>
        <NameOf name={agent.name} id={agent.agentId} withId /> cannot act until it is reinstated. Tokens and introductions that are revoked
        now stay revoked.
      </p>
      <WhatEnds of={endings} />
      <form onSubmit={confirm}>
        <ReasonFields value={because} onChange={setBecause} />
        <ErrorNote error={suspend.error} />
        <button type="submit" disabled={suspend.isRunning}>
          Suspend
        </button>
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
      </form>
    </Dialog>
  )
}

function Revoke({ agent, abilities, onEnded, onClose }: EndProps) {
  const { viewer } = useConsole()
  const revoke = useAction('agents.revoke', ['agents', 'keys', 'tokens', 'introductions'])
  const endings = useEndings(agent, abilities, 'revoke')
  const [because, setBecause] = useState(UNSPECIFIED)
  const confirm = async () => {
    const { texts } = endings
    const result = await revoke.run({ agentId: agent.agentId, ...because })
    if (result !== undefined) onEnded(texts)
    return result
  }
  return (
    <RevokeDialog
      title="Revoke the agent"
      verb="Revoke"
      name={agent.name}
      id={agent.agentId}
      isForeign={agent.orgId !== viewer.orgId}
      isReady={!endings.isLoading}
      error={revoke.error}
      isRunning={revoke.isRunning}
      onConfirm={confirm}
      onClose={onClose}
    >
      <WhatEnds of={endings} />
      <ReasonFields value={because} onChange={setBecause} />
    </RevokeDialog>
  )
}
