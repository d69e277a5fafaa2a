import { clientClock } from '../../../src/lib/clock.js'
import { useConsole } from '../../api/console.js'
import { useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { Empty, Result } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Command, Foreign, Name, State, Time } from '../../ui/text.js'
import { auditHref } from '../audit/filter.js'

const SHOWN = 8
const LOOKED_THROUGH = 50
const DAY_SECONDS = 86_400

/** The agents, with a link to each question about them. */
export function OwnAgents() {
  const { viewer } = useConsole()
  const agents = useQuery('agents.list', { limit: LOOKED_THROUGH })
  const mayAudit = isAdministrator(viewer)
  const today = Math.floor(clientClock.now() / 3600) * 3600 - DAY_SECONDS
  return (
    <Section title="Agents">
      <Result of={agents}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>
              <p>No agent yet. {viewer.role === 'person' ? 'Connect one on your device:' : 'Register one:'}</p>
              <Command text={viewer.role === 'person' ? 'credence agent connect NAME' : 'credence agent register NAME'} />
            </Empty>
          ) : (
            <ul class="items">
              {[...items.filter(({ state }) => state !== 'revoked'), ...items.filter(({ state }) => state === 'revoked')]
                .slice(0, SHOWN)
                .map(({ agentId, name, state }) => (
                  <li key={agentId}>
                    <a href={`/console/agents/${agentId}`}>
                      <Foreign text={name} />
                    </a>{' '}
                    <State state={state} /> <a href={`/console/reach/${agentId}`}>who calls it</a>{' '}
                    <a href={`/console/cards/${agentId}`}>its card</a>{' '}
                    {mayAudit && (
                      <>
                        <a href={auditHref({ actor: agentId, from: today })}>what it did since yesterday</a>{' '}
                        <a href={auditHref({ subject: agentId, action: 'agents.change' })}>its changes</a>
                      </>
                    )}
                  </li>
                ))}
            </ul>
          )
        }
      </Result>
      <p>
        <a href="/console/agents">All agents</a> · <a href="/console/find">Find an agent</a> ·{' '}
        <a href="/console/reach">Who can call whom</a>
      </p>
    </Section>
  )
}

/** The tasks that can still have tokens. */
export function ActiveTasks() {
  const tasks = useQuery('tasks.list', { limit: LOOKED_THROUGH })
  return (
    <Section title="Active tasks">
      <Result of={tasks}>
        {({ items }) => {
          const active = items.filter(({ state }) => state === 'active' || state === 'paused')
          return active.length === 0 ? (
            <Empty>
              <p>No task is active. An agent starts one with its first token request, or:</p>
              <Command text='credence task create "What is to be done"' />
            </Empty>
          ) : (
            <ul class="items">
              {active.slice(0, SHOWN).map(({ taskId, description, owner, state, deadline }) => (
                <li key={taskId}>
                  <a href={`/console/tasks/${taskId}`}>
                    <Foreign text={description} />
                  </a>{' '}
                  <State state={state} /> by <Name id={owner} />{' '}
                  <span class="hint">
                    until <Time at={deadline} />
                  </span>
                </li>
              ))}
            </ul>
          )
        }}
      </Result>
      <p>
        <a href="/console/tasks">All tasks</a>
      </p>
    </Section>
  )
}

/** The viewer's own consents, those that were used last first. */
export function OwnConsents() {
  const consents = useQuery('consents.list', { limit: LOOKED_THROUGH })
  return (
    <Section title="Your consents">
      <Result of={consents}>
        {({ items }) => {
          const valid = items.filter(({ state }) => state === 'valid').sort((a, b) => (b.lastUsedAt ?? 0) - (a.lastUsedAt ?? 0))
          return valid.length === 0 ? (
            <Empty>
              <p>No client may act for you. A client asks when it needs your consent.</p>
            </Empty>
          ) : (
            <ul class="items">
              {valid.slice(0, SHOWN).map(({ consentId, client, audience, lastUsedAt }) => (
                <li key={consentId}>
                  <a href={`/console/consents/${consentId}`}>
                    <Name id={client} link={false} /> at <Name id={audience} link={false} />
                  </a>{' '}
                  <span class="hint">
                    {lastUsedAt === undefined ? (
                      'never used'
                    ) : (
                      <>
                        last used <Time at={lastUsedAt} />
                      </>
                    )}
                  </span>
                </li>
              ))}
            </ul>
          )
        }}
      </Result>
      <p>
        <a href="/console/consents">All consents</a>
      </p>
    </Section>
  )
}
