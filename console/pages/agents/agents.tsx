import { useList } from '../../api/use-query.js'
import { Empty } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Foreign, State, Time } from '../../ui/text.js'

/** The agents of the viewer's organisation. */
export function Agents() {
  const list = useList('agents.list', {}, ({ agentId }) => agentId)
  const hrefOf = ({ agentId }: { readonly agentId: string }) => `/console/agents/${agentId}`
  return (
    <Page
      title="Agents"
      actions={
        <a class="button" href="/console/agents/register">
          Register an agent
        </a>
      }
    >
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
        empty={
          <Empty>
            <p>Your organisation has no agent. Register one here, or on the machine of the agent:</p>
            <Command text="credence agent register NAME" />
          </Empty>
        }
      />
    </Page>
  )
}
