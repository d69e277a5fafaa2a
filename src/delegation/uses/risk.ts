import type { RiskLevel } from '../../protocol/claims.js'
import { coveredBySome, parseScope } from '../../protocol/rights.js'
import { HOUR_SECONDS, MINUTE_SECONDS, unitOf, usesIn } from './periods.js'
import type { ProfiledToken } from './profile.js'
import { type AgentProfile, type Counts, PROFILE_SECONDS, type UsedRight } from './store.js'

/** The reasons for which a token is unusual for its agent, and the weight of each in the score. */
const WEIGHTS = { new_audience: 25, new_scope: 15, rate: 20, deeper: 15, new_key: 10 } as const
/** With fewer uses the risk of an agent is unknown. */
export const MIN_USES = 50
/** Scores from these on are medium and high. */
const [MEDIUM, HIGH] = [30, 60] as const
const NEW_KEY_SECONDS = 86_400
/** More tokens in 60 minutes than both are unusual: this many times the 95th percentile of the agent's own hours, and this number. */
const [RATE_FACTOR, MIN_RATE] = [3, 10] as const

/** The result of a comparison of a token with the earlier uses of its agent. It only informs: nothing is revoked or refused by it. */
export interface Risk {
  readonly level: RiskLevel
  /** 0 to 100; null if the agent has less than MIN_USES uses. */
  readonly score: number | null
  readonly parts: readonly { readonly code: keyof typeof WEIGHTS; readonly weight: number }[]
}

export const UNKNOWN_RISK: Risk = { level: 'unknown', score: null, parts: [] }

/** False for an unknown risk. */
export const isUnusual = ({ score }: Risk): boolean => score !== null && score >= MEDIUM

/** Compares a token with the uses of its agent before it. The profile may already include the token. */
export function riskOf(profile: AgentProfile | undefined, token: ProfiledToken): Risk {
  const at = token.issuedAt
  const thisHour = unitOf(at, HOUR_SECONDS)
  if (profile === undefined || usesIn(profile.hours, thisHour - PROFILE_SECONDS / HOUR_SECONDS) < MIN_USES) return UNKNOWN_RISK
  const rights = earlier(profile.rights, at).filter(({ audience }) => audience === token.audience)
  const scopes = parseScope(token.scope) ?? []
  const lastHour = usesIn(profile.minutes, unitOf(at, MINUTE_SECONDS) - 59, unitOf(at, MINUTE_SECONDS))
  // The last 60 minutes are compared with the hours before them
  const isFast = lastHour > Math.max(MIN_RATE, RATE_FACTOR * percentile95(profile.hours.filter(([hour]) => hour < thisHour - 1)))
  const applies = {
    new_audience: rights.length === 0,
    new_scope: !scopes.every((scope) => rights.some((right) => right.scope === scope)),
    rate: isFast,
    deeper: earlier(profile.depths, at).every(({ depth }) => depth < token.actors.length),
    new_key:
      token.jkt !== undefined && !profile.keys.some(({ jkt, firstUsedAt }) => jkt === token.jkt && firstUsedAt <= at - NEW_KEY_SECONDS),
  }
  const codes = (Object.keys(WEIGHTS) as (keyof typeof WEIGHTS)[]).filter((code) => applies[code])
  const parts = codes.map((code) => ({ code, weight: WEIGHTS[code] }))
  const score = Math.min(
    100,
    parts.reduce((sum, { weight }) => sum + weight, 0),
  )
  return { level: score >= HIGH ? 'high' : score >= MEDIUM ? 'medium' : 'low', score, parts }
}

/** True if the agent has used the scopes, with the tool, at the audience before the token and under another task. */
export function hasUsedBefore(
  profile: AgentProfile,
  token: ProfiledToken,
  { scopes, tool }: { readonly scopes: readonly string[]; readonly tool?: string | undefined },
): boolean {
  const rights = earlier(profile.rights, token.issuedAt).filter(
    ({ audience, tasks, tools }) =>
      audience === token.audience &&
      tasks.some((task) => task !== token.taskId) &&
      (tool === undefined || tools === undefined || coveredBySome(tools, tool)),
  )
  return scopes.every((scope) =>
    coveredBySome(
      rights.map((right) => right.scope),
      scope,
    ),
  )
}

/** The uses before `at`, and not more than PROFILE_SECONDS before. */
const earlier = <T extends Pick<UsedRight, 'firstUsedAt' | 'lastUsedAt'>>(uses: readonly T[], at: number): readonly T[] =>
  uses.filter(({ firstUsedAt, lastUsedAt }) => firstUsedAt < at && lastUsedAt > at - PROFILE_SECONDS)

/** The smallest count that at least 95 of 100 units do not exceed; 0 without units. */
function percentile95(counts: Counts): number {
  const uses = counts.map(([, n]) => n).sort((a, b) => a - b)
  return uses[Math.ceil(uses.length * 0.95) - 1] ?? 0
}
