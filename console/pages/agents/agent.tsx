import { useConsole } from '../../api/console.js'
import { useQuery } from '../../api/use-query.js'
import { isAdministrator } from '../../api/viewer.js'
import { Result } from '../../ui/notes.js'
import { Facts, Page } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { type AgentView, abilitiesOf } from './abilities.js'
import { ChildrenSection } from './activity/children-section.js'
import { RiskSection } from './activity/risk-section.js'
import { TokensSection } from './activity/tokens-section.js'
import { CeilingSection } from './ceiling/ceiling-section.js'
import { LevelSection } from './ceiling/level-section.js'
import { KeysSection } from './keys/keys-section.js'
import { PolicySection } from './policy-section.js'
import { Verbs } from './verbs.js'

/** One agent: what it is, what it may do, and how to stop it. */
export function AgentPage({ agentId }: { readonly agentId: string }) {
  const agent = useQuery('agents.get', { agentId })
  return (
    <Page title="Agent" about={agent.data?.name} actions={<Links agentId={agentId} />}>
      <Result of={agent}>{(found) => <Sections key={agentId} agent={found} />}</Result>
    </Page>
  )
}

function Links({ agentId }: { readonly agentId: string }) {
  const { viewer } = useConsole()
  const isAuditor = isAdministrator(viewer)
  return (
    <nav aria-label="About this agent">
      <a href={`/console/cards/${agentId}`}>Card</a> · <a href={`/console/reach/${agentId}`}>Who can call it</a>
      {isAuditor && (
        <>
          {' '}
          · <a href={`/console/audit?actor=${agentId}`}>What it did</a> ·{' '}
          <a href={`/console/audit?subject=${agentId}`}>What was done to it</a>
        </>
      )}
    </nav>
  )
}

function Sections({ agent }: { readonly agent: AgentView }) {
  const { viewer } = useConsole()
  const abilities = abilitiesOf(viewer, agent)
  const { agentId } = agent
  return (
    <>
      <AgentFacts agent={agent} />
      <Verbs agent={agent} abilities={abilities} />
      {abilities.maySeeActivity && <RiskSection agentId={agentId} />}
      <CeilingSection agent={agent} abilities={abilities} />
      {abilities.maySeeActivity && <LevelSection agent={agent} abilities={abilities} />}
      <PolicySection agent={agent} abilities={abilities} />
      {abilities.maySeeActivity && <KeysSection agent={agent} abilities={abilities} />}
      {abilities.maySeeActivity && <TokensSection agentId={agentId} />}
      <ChildrenSection agentId={agentId} />
    </>
  )
}

const AgentFacts = ({ agent }: { readonly agent: AgentView }) => (
  <Facts
    of={{
      Name: <Foreign text={agent.name} />,
      State: <State state={agent.state} />,
      Description: agent.description && <Foreign text={agent.description} />,
      Type: agent.agentType && <Foreign text={agent.agentType} />,
      Id: <Code>{agent.agentId}</Code>,
      Audience: <Code>{agent.audience}</Code>,
      Organisation: <Code>{agent.orgId}</Code>,
      'Registered by': agent.parent && <Name id={agent.parent} />,
      'On the device of': agent.memberId && <Name id={agent.memberId} />,
      Metadata: agent.clientUri && <Foreign text={agent.clientUri} />,
      Registered: <Time at={agent.registeredAt} />,
      Ended: agent.endedAt && <Time at={agent.endedAt} />,
      'Ended by': agent.endedBy && <Name id={agent.endedBy} />,
      Reason: agent.reason,
      Note: agent.note && <Foreign text={agent.note} />,
    }}
  />
)
