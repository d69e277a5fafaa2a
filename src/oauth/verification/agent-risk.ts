import type { Profiles } from '../../delegation/uses/find.js'
import { HOUR_SECONDS, unitOf, usesIn } from '../../delegation/uses/periods.js'
import { MIN_USES, type Risk, riskOf, UNKNOWN_RISK } from '../../delegation/uses/risk.js'
import { type AgentProfile, PROFILE_DAYS, PROFILE_SECONDS } from '../../delegation/uses/store.js'
import { refuse } from '../../errors.js'
import { type Caller, maySee } from '../../http/caller.js'
import type { AgentId, Audience, Jkt, TaskId, TokenId } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import { type ListTokensDeps, newestTokensOf } from '../list.js'
import type { TokenRecord } from '../store.js'

export type AgentRiskDeps = ListTokensDeps & { readonly profiles: Pick<Profiles, 'find'> }

/** The risk of an agent is that of its most unusual token of this many seconds, among the newest MAX_TOKENS. */
const RECENT_SECONDS = 86_400
const MAX_TOKENS = 100
const MAX_AUDIENCES = 50

export interface AgentRisk {
  readonly agentId: AgentId
  /** The most unusual recent token, compared with the uses before it. With enough history and no recent token: low. */
  readonly risk: Risk
  readonly token: {
    readonly tokenId: TokenId
    readonly audience: Audience
    readonly scope: string
    readonly taskId?: TaskId
    readonly issuedAt: number
  } | null
  readonly tokensCompared: number
  readonly profile: ProfileView
}

/** The counted uses of an agent in the last `days`. The last minute and a half may be missing. */
interface ProfileView {
  readonly days: number
  readonly uses: number
  /** With fewer uses the risk is unknown. */
  readonly usesNeeded: number
  readonly refusals: number
  /** The longest chain of actors of a token. */
  readonly depth: number
  /** By audience, that of the last use first, at most MAX_AUDIENCES. */
  readonly audiences: readonly { readonly audience: Audience; readonly scopes: readonly Scope[]; readonly lastUsedAt: number }[]
  readonly keys: readonly { readonly jkt: Jkt; readonly firstUsedAt: number; readonly lastUsedAt: number }[]
}

/** What an agent usually does, and how unusual its recent tokens are. For the agent, members of its organisation and operators. */
export const riskOfAgent = (deps: AgentRiskDeps, caller: Caller, id: AgentId): Promise<AgentRisk> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const client = await deps.clients.find(id)
    if (!client || !(client.id === caller.id || maySee(caller, client.orgId))) return refuse('not_found', 'no such agent')
    const [profile, records] = await Promise.all([
      deps.profiles.find(id),
      newestTokensOf(deps, client, { issuedAfter: now - RECENT_SECONDS, limit: MAX_TOKENS }),
    ])
    const view = viewOf(profile, now)
    const compared = records.map((record) => ({ record, risk: riskOf(profile, record) }))
    const [most] = compared.sort((a, b) => (b.risk.score ?? -1) - (a.risk.score ?? -1) || b.record.issuedAt - a.record.issuedAt)
    return {
      agentId: id,
      risk: most?.risk ?? (view.uses < MIN_USES ? UNKNOWN_RISK : { level: 'low', score: 0, parts: [] }),
      token: most ? tokenOf(most.record) : null,
      tokensCompared: records.length,
      profile: view,
    }
  })

const tokenOf = ({ id, audience, scope, taskId, issuedAt }: TokenRecord) => ({
  tokenId: id,
  audience,
  scope,
  ...(taskId && { taskId }),
  issuedAt,
})

function viewOf(profile: AgentProfile | undefined, now: number): ProfileView {
  const { rights = [], hours = [], depths = [], keys = [], refusals = [] } = profile ?? {}
  const isRecent = ({ lastUsedAt }: { readonly lastUsedAt: number }) => lastUsedAt > now - PROFILE_SECONDS
  const used = rights.filter(isRecent).sort((a, b) => b.lastUsedAt - a.lastUsedAt)
  const audiences = [...new Set(used.map(({ audience }) => audience))].slice(0, MAX_AUDIENCES)
  return {
    days: PROFILE_DAYS,
    uses: usesIn(hours, unitOf(now - PROFILE_SECONDS, HOUR_SECONDS)),
    usesNeeded: MIN_USES,
    refusals: refusals.reduce((sum, [, count]) => sum + count, 0),
    depth: Math.max(0, ...depths.filter(isRecent).map(({ depth }) => depth)),
    audiences: audiences.map((audience) => {
      const towards = used.filter((right) => right.audience === audience)
      return { audience, scopes: towards.map(({ scope }) => scope), lastUsedAt: towards[0]?.lastUsedAt ?? now }
    }),
    keys: keys.filter(isRecent),
  }
}
