import { useState } from 'preact/hooks'
import type { JsonObject } from '../../../src/lib/json.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import { AgentId } from '../../../src/protocol/ids.js'
import { useConsole } from '../../api/console.js'
import type { Output } from '../../api/procedures.js'
import { useList, useQuery } from '../../api/use-query.js'
import { Empty, Result } from '../../ui/notes.js'
import { Facts, Page } from '../../ui/page.js'
import { Code, Command, Foreign, Name, State } from '../../ui/text.js'
import { RequestForm } from './request-form.js'
import { Requested } from './requested.js'
import { wordsOfScopes } from './words-of-scopes.js'

const TITLE = 'Request an introduction'

/** Requests an introduction to an agent, for one of the viewer's own agents. */
export function RequestIntroduction({ agentId: id }: { readonly agentId: string }) {
  const { viewer } = useConsole()
  const parsed = AgentId.safeParse(id)
  if (!parsed.success) return <Page title={TITLE}>{`"${id}" is not an agent id.`}</Page>
  if (viewer.role === 'person')
    return (
      <Page title={TITLE}>
        <Empty>
          <p>Members of an organisation request introductions for its agents. An agent of yours requests one itself:</p>
          <Command text={`credence introduction request ${parsed.data} --scope SCOPE --purpose "WHY"`} />
        </Empty>
      </Page>
    )
  return <Target agentId={parsed.data} />
}

function Target({ agentId }: { readonly agentId: AgentId }) {
  // What an agent without an introduction sees: its scopes are those that can be requested
  const card = useQuery('cards.get', { agentId, as: 'authenticated' }, { isLive: false })
  const [requested, setRequested] = useState<Output<'introductions.request'> | undefined>(undefined)
  return (
    <Page title={TITLE} actions={<a href={`/console/cards/${agentId}`}>The card</a>}>
      <Result of={card}>
        {(view) => (
          <>
            <Facts
              of={{
                To: <Name id={agentId} />,
                Id: <Code>{agentId}</Code>,
                Organisation: <Foreign text={view.facts.organisationName} />,
                Verdict: <State state={view.facts.verdict.state} />,
                Description: view.text.description !== '' && <Foreign text={view.text.description} max={1024} />,
              }}
            />
            {requested ? (
              <Requested introduction={requested} onAgain={() => setRequested(undefined)} />
            ) : (
              <Request view={view} onRequested={setRequested} />
            )}
          </>
        )}
      </Result>
    </Page>
  )
}

function Request({
  view,
  onRequested,
}: {
  readonly view: CardView
  readonly onRequested: (made: Output<'introductions.request'>) => void
}) {
  const { agentId, audience, orgId, facts, claims } = view
  const agents = useList('agents.list', {}, (agent) => agent.agentId)
  const usable = agents.items.filter((agent) => agent.agentId !== agentId && (agent.state === 'active' || agent.state === 'registered'))
  if (usable.length === 0 && (agents.isLoading || agents.hasMore)) {
    agents.readMore()
    return <Result of={{ isLoading: true, error: agents.error }}>{() => null}</Result>
  }
  if (usable.length === 0)
    return (
      <Empty>
        <p>
          Your organisation has no other active agent. <a href="/console/agents/register">Register one</a>, or on the agent's machine:
        </p>
        <Command text="credence agent register NAME" />
      </Empty>
    )
  if (facts.scopes.length === 0)
    return (
      <Empty>
        <p>The card lists no scope to callers without an introduction, so there is nothing to request by name. Ask for a capability:</p>
        <Command text={'credence introduction request --capability NAME --from AGENT --purpose "WHY"'} />
      </Empty>
    )
  return (
    <RequestForm
      to={{ agentId, audience, orgId, scopes: facts.scopes, words: wordsOfScopes(claims as JsonObject) }} // the claims are JSON
      agents={usable}
      {...(agents.hasMore && { onMoreAgents: agents.readMore })}
      onRequested={onRequested}
    />
  )
}
