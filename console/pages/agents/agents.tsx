import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { useList } from '../../api/use-query.js'
import { Choice, Field } from '../../ui/forms/fields.js'
import { Empty } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Foreign, State, Time } from '../../ui/text.js'

const STATES = ['registered', 'active', 'suspended', 'revoked'] as const

/** The agents of the viewer's organisation, or those that the person registered. */
export function Agents() {
  const { viewer } = useConsole()
  const { path, query, route } = useLocation()
  const { name = '' } = query
  const state = STATES.find((one) => one === query.state)
  const isFiltered = name.trim() !== '' || state !== undefined
  const list = useList(
    'agents.list',
    { ...(name.trim() !== '' && { name: name.trim() }), ...(state && { state }) },
    ({ agentId }) => agentId,
  )
  const filter = (changes: Readonly<Record<string, string>>) => {
    const next = Object.entries({ name, state: state ?? '', ...changes }).filter(([, value]) => value !== '')
    route(next.length === 0 ? path : `${path}?${new URLSearchParams(next)}`, true)
  }
  const hrefOf = ({ agentId }: { readonly agentId: string }) => `/console/agents/${agentId}`
  return (
    <Page
      title="Agents"
      actions={
        viewer.role !== 'person' && (
          <a class="button" href="/console/agents/register">
            Register an agent
          </a>
        )
      }
    >
      <search class="columns">
        <div>
          <Field label="Name contains" name="name" type="search" value={name} onInput={(text) => filter({ name: text })} />
        </div>
        <div>
          <Choice
            label="State"
            name="state"
            value={state ?? ''}
            options={[['', 'any state'], ...STATES.map((one) => [one, one] as const)]}
            onChange={(chosen) => filter({ state: chosen })}
          />
        </div>
      </search>
      <Rows
        label="Agents"
        list={list}
        idOf={({ agentId }) => agentId}
        hrefOf={hrefOf}
        row={(agent) => (
          <>
            <a href={hrefOf(agent)}>
              <Foreign text={agent.name} />
            </a>
            <State state={agent.state} />
            <span class="hint">
              registered <Time at={agent.registeredAt} />
            </span>
          </>
        )}
        empty={<NoAgents isFiltered={isFiltered} onClear={() => filter({ name: '', state: '' })} />}
      />
    </Page>
  )
}

function NoAgents({ isFiltered, onClear }: { readonly isFiltered: boolean; readonly onClear: () => void }) {
  const { viewer } = useConsole()
  if (isFiltered)
    return (
      <Empty>
        <p>No agent matches these filters.</p>
        <button type="button" class="quiet" onClick={onClear}>
          Show all agents
        </button>
      </Empty>
    )
  return (
    <Empty>
      {viewer.role === 'person' ? (
        <>
          <p>You have no personal agent. Connect a program on your device:</p>
          <Command text={`credence agent connect NAME --registry ${viewer.issuer}`} />
        </>
      ) : (
        <>
          <p>Your organisation has no agent. Register one here, or on the agent's machine:</p>
          <Command text="credence agent register NAME" />
        </>
      )}
    </Empty>
  )
}
