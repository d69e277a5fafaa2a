import { Foreign } from '../../../src/http/pages/foreign.js'
import { useConsole } from '../../api/console.js'
import { useAgentName } from './agent-name.js'
import { looksLikeRegistry } from './looks-like-registry.js'

interface NameProps {
  readonly id: string
  readonly link?: boolean
  /** True: with the id beside the name, where something is decided: two agents may choose the same name. */
  readonly withId?: boolean
}

/** The name of an agent, member, client or audience, as far as the viewer may know it; otherwise its id. Names are texts of others. */
export function Name({ id, link = true, withId = false }: NameProps) {
  const { viewer } = useConsole()
  const agentId = agentOf(id, viewer.issuer)
  if (id === viewer.id) return <>you</>
  if (id === viewer.issuer) return <>this registry</>
  if (agentId === undefined) return <code>{id}</code>
  const name = <AgentName agentId={agentId} withId={withId} />
  return link ? <a href={`/console/agents/${agentId}`}>{name}</a> : name
}

/** The agent with this id or audience. An address at another host that ends in the id of an agent is no audience of it. */
export function agentOf(id: string, issuer: string): string | undefined {
  const prefix = `${issuer}/agents/`
  const agentId = id.startsWith(prefix) ? id.slice(prefix.length) : id
  return /^agt_[A-Za-z0-9_-]+$/.test(agentId) ? agentId : undefined
}

function AgentName({ agentId, withId }: { readonly agentId: string; readonly withId: boolean }) {
  const { name } = useAgentName(agentId)
  return <NameOf name={name} id={agentId} withId={withId} />
}

/** A name that others chose for the thing with this id. One that could be taken for a text of the registry never stands alone. */
export function NameOf({
  name,
  id,
  withId = false,
}: {
  readonly name: string | undefined
  readonly id: string
  readonly withId?: boolean
}) {
  const { viewer } = useConsole()
  if (name === undefined) return <code>{id}</code>
  return (
    <>
      <Foreign text={name} />
      {(withId || looksLikeRegistry(name, viewer.issuer)) && (
        <>
          {' '}
          <code>{id}</code>
        </>
      )}
    </>
  )
}
