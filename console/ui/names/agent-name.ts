import { useEffect, useState } from 'preact/hooks'
import { z } from 'zod'
import { useConsole } from '../../api/console.js'
import { useQuery } from '../../api/use-query.js'

interface AgentName {
  /** Undefined: no name is known. */
  readonly name: string | undefined
  /** True if the viewer's organisation chose the name. */
  readonly isOwn: boolean
}

const NO_NAME: AgentName = { name: undefined, isOwn: false }

/**
 * The name of an agent: of the viewer's own agents (the newest 100) that under which they are registered, of others that in their public card. No call of the
 * viewer asks for an agent of others, because that would be a refusal in the audit log of the viewer's organisation.
 */
export function useAgentName(agentId: string | undefined): AgentName {
  const { viewer } = useConsole()
  const own = useQuery('agents.list', agentId === undefined ? undefined : { limit: 100 }, { isLive: false })
  // An operator lists its own organisation, too
  const listed = own.data?.items.find((agent) => agent.agentId === agentId)
  const isForeign = listed === undefined && (own.data !== undefined || own.error !== undefined)
  const [published, setPublished] = useState<{ readonly of: string; readonly name: string | undefined } | undefined>(undefined)
  useEffect(() => {
    if (agentId === undefined || !isForeign) return undefined
    let isShown = true
    void publishedName(viewer.issuer, agentId).then((name) => isShown && setPublished({ of: agentId, name }))
    return () => {
      isShown = false
    }
  }, [viewer.issuer, agentId, isForeign])
  if (listed) return { name: listed.name, isOwn: listed.orgId === viewer.orgId }
  return published !== undefined && published.of === agentId ? { name: published.name, isOwn: false } : NO_NAME
}

const publishedNames = new Map<string, Promise<string | undefined>>()
const MAX_NAMES = 1000

/** Read once, also if it fails. */
function publishedName(issuer: string, agentId: string): Promise<string | undefined> {
  const known = publishedNames.get(agentId)
  if (known) return known
  if (publishedNames.size >= MAX_NAMES) publishedNames.clear()
  const name = readPublishedName(issuer, agentId).catch(() => undefined)
  publishedNames.set(agentId, name)
  return name
}

const PublicCard = z.object({ claims: z.object({ name: z.string() }) })

async function readPublishedName(issuer: string, agentId: string): Promise<string | undefined> {
  // Without a token: everyone may read it
  const response = await fetch(`${issuer}/agents/${agentId}/card`, { credentials: 'omit' })
  return response.ok ? PublicCard.safeParse(await response.json()).data?.claims.name : undefined
}
