import { useList } from '../../../api/use-query.js'
import { Empty, ErrorNote, Loading } from '../../../ui/notes.js'
import { Section } from '../../../ui/page.js'
import { Command, Foreign, Name, Time } from '../../../ui/text.js'

/** The tokens of the agent that can be used now, newest first. */
export function TokensSection({ agentId }: { readonly agentId: string }) {
  const { items, error, isLoading, hasMore, readMore } = useList('tokens.list', { client: agentId, alive: true }, ({ tokenId }) => tokenId)
  return (
    <Section title="Live tokens">
      <ErrorNote error={error} />
      {items.length === 0 && !isLoading && error === undefined && (
        <Empty>
          <p>The agent has no active token. Each command on its machine requests one, for example:</p>
          <Command text="credence whoami" />
        </Empty>
      )}
      <ul class="items">
        {items.map(({ tokenId, audience, scope, taskId, expiresAt }) => (
          <li key={tokenId}>
            for <Name id={audience} />: <Foreign text={scope} />
            <p class="hint">
              {taskId && (
                <>
                  task{' '}
                  <a href={`/console/tasks/${taskId}`}>
                    <code>{taskId}</code>
                  </a>
                  ,{' '}
                </>
              )}
              expires <Time at={expiresAt} />
            </p>
          </li>
        ))}
      </ul>
      {isLoading && items.length === 0 && <Loading />}
      {hasMore && (
        <button type="button" class="quiet" disabled={isLoading} onClick={readMore}>
          Show more tokens
        </button>
      )}
    </Section>
  )
}
