import { type AgentId, agentOfAudience, type OrgId } from '../../protocol/ids.js'
import type { CeilingAudience, OrgOf } from '../../protocol/rights.js'

/** Reads the organisations of those audiences that are agents of this registry, to evaluate the patterns of a ceiling. */
export async function organisationsOf(
  issuer: string,
  audiences: readonly CeilingAudience[],
  findAgent: (id: AgentId) => Promise<{ readonly orgId: OrgId } | undefined>,
): Promise<OrgOf> {
  const found = new Map<string, OrgId>()
  const uris = new Set(audiences.filter((audience) => typeof audience === 'string'))
  await Promise.all(
    [...uris].map(async (uri) => {
      const id = agentOfAudience(issuer, uri)
      const agent = id && (await findAgent(id))
      if (agent) found.set(uri, agent.orgId)
    }),
  )
  return (audience) => found.get(audience)
}
