import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { z } from 'zod'
import { Foreign } from '../../src/http/pages/foreign.js'
import { useConsole } from '../api/console.js'
import { useQuery } from '../api/use-query.js'

const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** A time in epoch seconds, in the zone of the viewer. */
export function Time({ at }: { readonly at: number | undefined }) {
  if (at === undefined) return <>–</>
  const date = new Date(at * 1000)
  return (
    <time dateTime={date.toISOString()} title={date.toISOString()}>
      {FORMAT.format(date)}
    </time>
  )
}

/** A state, such as `active`. Its colour only repeats the word. */
export function State({ state }: { readonly state: string }) {
  return <span class={`state ${CLASSES[state] ?? ''}`}>{state}</span>
}

const CLASSES: Readonly<Record<string, string>> = {
  active: 'good',
  valid: 'good',
  granted: 'good',
  proved: 'good',
  signed: 'good',
  verified: 'good',
  current: 'good',
  same: 'good',
  reachable: 'good',
  signing: 'good',
  pending: 'waiting',
  failing: 'waiting',
  unproved: 'waiting',
  frozen: 'waiting',
  retiring: 'waiting',
  needsApproval: 'waiting',
  paused: 'waiting',
  suspended: 'waiting',
  registered: 'waiting',
  retired: 'waiting',
  revoked: 'ended',
  lapsed: 'ended',
  removed: 'ended',
  ended: 'ended',
  denied: 'ended',
  expired: 'ended',
  yanked: 'ended',
  unpublished: 'ended',
  invalid: 'ended',
}

/** An id, or another text of the registry itself. */
export const Code = ({ children }: { readonly children: ComponentChildren }) => <code>{children}</code>

/** A command for the command line. */
export const Command = ({ text }: { readonly text: string }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a long command scrolls, also by keyboard
  <pre class="command" tabIndex={0}>
    <code>{text}</code>
  </pre>
)

const AGENT_IN_AUDIENCE = /\/agents\/(agt_[A-Za-z0-9_-]+)$/

/** The name of an agent, member, client or audience, as far as the viewer may know it; otherwise its id. Names are texts of others. */
export function Name({ id, link = true }: { readonly id: string; readonly link?: boolean }) {
  const { viewer } = useConsole()
  const agentId = /^agt_/.test(id) ? id : AGENT_IN_AUDIENCE.exec(id)?.[1]
  if (id === viewer.id) return <>you</>
  if (id === viewer.issuer) return <>this registry</>
  if (agentId === undefined) return <code>{id}</code>
  const name = <AgentName agentId={agentId} />
  return link ? <a href={`/console/agents/${agentId}`}>{name}</a> : name
}

function AgentName({ agentId }: { readonly agentId: string }) {
  const name = useAgentName(agentId)
  return name === undefined ? <code>{agentId}</code> : <Foreign text={name} />
}

/**
 * The name of an agent: that in its public card, or else that under which it is registered. A text of others. The card is read without a token, because a
 * call of the viewer for an agent of others would be a refusal in the audit log.
 */
export function useAgentName(agentId: string | undefined): string | undefined {
  const { viewer } = useConsole()
  const [names, setNames] = useState<Readonly<Record<string, string | false>>>({})
  const published = agentId === undefined ? undefined : names[agentId]
  useEffect(() => {
    let isShown = true
    if (agentId !== undefined) void publishedName(viewer.issuer, agentId).then((name) => isShown && setNames({ [agentId]: name ?? false }))
    return () => {
      isShown = false
    }
  }, [viewer.issuer, agentId])
  const own = useQuery('agents.get', agentId !== undefined && published === false ? { agentId } : undefined, { isLive: false })
  return published === false ? own.data?.name : published
}

const publishedNames = new Map<string, Promise<string | undefined>>()
const MAX_NAMES = 1000

function publishedName(issuer: string, agentId: string): Promise<string | undefined> {
  const known = publishedNames.get(agentId)
  if (known) return known
  if (publishedNames.size >= MAX_NAMES) publishedNames.clear()
  const name = readPublishedName(issuer, agentId)
  publishedNames.set(agentId, name)
  return name
}

const PublicCard = z.object({ claims: z.object({ name: z.string() }) })

async function readPublishedName(issuer: string, agentId: string): Promise<string | undefined> {
  const response = await fetch(`${issuer}/agents/${agentId}/card`, { credentials: 'omit' }).catch(() => undefined)
  return response?.ok ? PublicCard.safeParse(await response.json()).data?.claims.name : undefined
}

export { Foreign }
