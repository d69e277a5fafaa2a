import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { shellWord } from '../../../src/lib/text.js'
import type { AgentId, Audience, OrgId } from '../../../src/protocol/ids.js'
import { coveredBySome, type Scope, scopesFor } from '../../../src/protocol/rights.js'
import type { Item, Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { Choice, Field, Tick } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'
import { Command, Foreign } from '../../ui/text.js'

interface RequestTarget {
  readonly agentId: AgentId
  readonly audience: Audience
  readonly orgId: OrgId
  readonly scopes: readonly Scope[]
  /** The publisher's words for its scopes. */
  readonly words: ReadonlyMap<string, string>
}

type OwnAgent = Item<'agents.list'>

interface RequestFormProps {
  readonly to: RequestTarget
  readonly agents: readonly OwnAgent[]
  /** Absent if every agent is among `agents`. */
  readonly onMoreAgents?: () => void
  readonly onRequested: (introduction: Output<'introductions.request'>) => void
}

const DAY = 86_400
const DURATIONS = [
  [String(3600), '1 hour'],
  [String(DAY), '1 day'],
  [String(7 * DAY), '7 days'],
  [String(30 * DAY), '30 days'],
  [String(90 * DAY), '90 days'],
  [String(366 * DAY), '366 days'],
] as const
const DEFAULT_DURATION = String(30 * DAY)

/** What is requested, for which agent, why and for how long. The ceiling of the agent decides. */
export function RequestForm({ to, agents, onMoreAgents, onRequested }: RequestFormProps) {
  const { query } = useLocation()
  const request = useAction('introductions.request', ['introductions', 'approvals'])
  const [from, setFrom] = useState(agents.find(({ agentId }) => agentId === query.from)?.agentId ?? agents[0]?.agentId)
  const [purpose, setPurpose] = useState('')
  const [scopes, setScopes] = useState<readonly Scope[]>([])
  const [tools, setTools] = useState('')
  const [seconds, setSeconds] = useState(DEFAULT_DURATION)
  const agent = agents.find(({ agentId }) => agentId === from)
  const submit = async (event: Event) => {
    event.preventDefault()
    if (!agent || scopes.length === 0) return
    const names = tools.split(/[\s,]+/).filter((name) => name !== '')
    const introduction = await request.run({
      from: agent.agentId,
      to: to.agentId,
      purpose: purpose.trim(),
      scopes: [...scopes],
      seconds: Number(seconds),
      ...(names.length > 0 && { tools: names }),
    })
    if (introduction) onRequested(introduction)
  }
  return (
    <form onSubmit={submit}>
      <Choice
        label="For which of your agents?"
        name="from"
        options={agents.map(({ agentId, name, state }) => [agentId, state === 'active' ? name : `${name} (${state})`] as const)}
        value={from ?? ''}
        onChange={(value) => setFrom(agents.find(({ agentId }) => agentId === value)?.agentId)}
      />
      {onMoreAgents && (
        <button type="button" class="quiet small" onClick={onMoreAgents}>
          Show more agents
        </button>
      )}
      <Field
        label="Purpose"
        name="purpose"
        value={purpose}
        onInput={setPurpose}
        required
        hint="Shown to the organisation that decides. At most 512 characters."
      />
      <fieldset>
        <legend>Scopes</legend>
        <p class="hint">The descriptions are from the card. The registry has not verified them.</p>
        {to.scopes.map((scope) => (
          <Tick
            key={scope}
            checked={scopes.includes(scope)}
            onChange={(checked) => setScopes(checked ? [...scopes, scope] : scopes.filter((other) => other !== scope))}
          >
            <Foreign text={scope} />
            {to.words.has(scope) && (
              <>
                {': '}
                <Foreign text={to.words.get(scope) ?? ''} max={1024} />
              </>
            )}
          </Tick>
        ))}
      </fieldset>
      {agent && <BeyondCeiling agent={agent} to={to} scopes={scopes} />}
      <Field
        label="Tools"
        name="tools"
        value={tools}
        onInput={setTools}
        hint="Optional: names separated by commas. Empty: no restriction to tools."
      />
      <Choice label="For how long" name="seconds" options={DURATIONS} value={seconds} onChange={setSeconds} />
      <ErrorNote error={request.error} />
      <button type="submit" disabled={request.isRunning || scopes.length === 0 || purpose.trim() === ''}>
        Request
      </button>
      {(scopes.length === 0 || purpose.trim() === '') && <p class="hint">Write a purpose and choose at least one scope.</p>}
    </form>
  )
}

/** Scopes that the ceiling of the agent does not have, and the command that adds them. */
function BeyondCeiling({ agent, to, scopes }: { readonly agent: OwnAgent; readonly to: RequestTarget; readonly scopes: readonly Scope[] }) {
  const allowed = scopesFor(agent.ceiling.rights, to.audience, () => to.orgId)
  const beyond = scopes.filter((scope) => !coveredBySome(allowed, scope))
  if (beyond.length === 0) return null
  return (
    <div class="note" aria-live="polite">
      <p>
        The ceiling of <Foreign text={agent.name} /> does not include what you chose, so the request will be refused. An administrator can
        add it on <a href={`/console/agents/${agent.agentId}`}>the page of the agent</a>, or with:
      </p>
      <Command
        text={`credence agent change ${agent.agentId} ${beyond.map((scope) => `--add-call ${shellWord(`${to.audience}=${scope}`)}`).join(' ')}`}
      />
    </div>
  )
}
