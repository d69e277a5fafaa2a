import { useList } from '../../../api/use-query.js'
import { ErrorNote, Loading } from '../../../ui/notes.js'
import { Section } from '../../../ui/page.js'
import { Foreign, State } from '../../../ui/text.js'

/** The agents that the agent registered. They end with it. */
export function ChildrenSection({ agentId }: { readonly agentId: string }) {
  const { items, error, isLoading, hasMore, readMore } = useList('agents.list', { parent: agentId }, (child) => child.agentId)
  return (
    <Section title="Child agents">
      <ErrorNote error={error} />
      {isLoading && items.length === 0 && <Loading />}
      {items.length === 0 && !isLoading && error === undefined && (
        <p>The agent has not registered any agents. It needs the scope agents:write in its ceiling to do so.</p>
      )}
      <ul class="items">
        {items.map((child) => (
          <li key={child.agentId}>
            <a href={`/console/agents/${child.agentId}`}>
              <Foreign text={child.name} />
            </a>{' '}
            <State state={child.state} />
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" class="quiet" disabled={isLoading} onClick={readMore}>
          Show more agents
        </button>
      )}
    </Section>
  )
}
