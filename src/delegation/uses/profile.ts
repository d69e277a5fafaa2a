import { type AccessTokenClaims, chainOf } from '../../protocol/claims.js'
import type { AgentId, Audience, Jkt, OrgId, TaskId } from '../../protocol/ids.js'
import { parseScope, type Scope } from '../../protocol/rights.js'
import { added, DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS, unitOf } from './periods.js'
import {
  type AgentProfile,
  MAX_PROFILE_KEYS,
  MAX_PROFILE_RIGHTS,
  MAX_PROFILE_TOOLS,
  MAX_RECENT_MINUTES,
  PROFILE_DAYS,
  PROFILE_SECONDS,
  type UsedRight,
} from './store.js'

/** The part of a token that a profile keeps. */
export interface ProfiledToken {
  readonly audience: Audience
  readonly scope: string
  readonly taskId?: TaskId | undefined
  readonly tools?: readonly string[] | undefined
  readonly actors: readonly unknown[]
  /** Absent for a bearer token. */
  readonly jkt?: Jkt | undefined
  readonly issuedAt: number
}

/** The part of an access token that a profile keeps. */
export const profiledToken = (claims: AccessTokenClaims): ProfiledToken => ({
  audience: claims.aud,
  scope: claims.scope,
  taskId: claims.task_id,
  tools: claims.allowed_tools,
  actors: chainOf(claims).slice(1),
  jkt: claims.cnf?.jkt,
  issuedAt: claims.iat,
})

export const newProfile = (agentId: AgentId, orgId: OrgId): AgentProfile => ({
  agentId,
  orgId,
  revision: 1,
  rights: [],
  hours: [],
  minutes: [],
  depths: [],
  keys: [],
  refusals: [],
  purgeAt: 0,
})

/** The profile with `count` more tokens like this one. Everything that was last used more than PROFILE_DAYS before is dropped. */
export function withTokens(profile: AgentProfile, token: ProfiledToken, count: number): AgentProfile {
  const at = token.issuedAt
  const scopes = parseScope(token.scope) ?? []
  return {
    ...profile,
    rights: scopes.reduce((rights, scope) => withRight(rights, scope, token), profile.rights),
    hours: added(profile.hours, unitOf(at, HOUR_SECONDS), count, PROFILE_DAYS * 24),
    minutes: added(profile.minutes, unitOf(at, MINUTE_SECONDS), count, MAX_RECENT_MINUTES),
    depths: withUse(profile.depths, { depth: token.actors.length }, at, 9),
    keys: token.jkt === undefined ? profile.keys : withUse(profile.keys, { jkt: token.jkt }, at, MAX_PROFILE_KEYS),
    purgeAt: Math.max(profile.purgeAt, at + PROFILE_SECONDS),
  }
}

export const withRefusals = (profile: AgentProfile, at: number, count: number): AgentProfile => ({
  ...profile,
  refusals: added(profile.refusals, unitOf(at, DAY_SECONDS), count, PROFILE_DAYS),
  purgeAt: Math.max(profile.purgeAt, at + PROFILE_SECONDS),
})

function withRight(rights: AgentProfile['rights'], scope: Scope, { audience, taskId, tools, issuedAt }: ProfiledToken): UsedRight[] {
  const before = rights.find((right) => right.audience === audience && right.scope === scope)
  const tasks = [...new Set([...(taskId ? [taskId] : []), ...(before?.tasks ?? [])])].slice(0, 2)
  const isUnbounded = tools === undefined || (before !== undefined && before.tools === undefined)
  const used = {
    ...firstAndLast(before, issuedAt),
    audience,
    scope,
    tasks,
    ...(!isUnbounded && { tools: [...new Set([...tools, ...(before?.tools ?? [])])].slice(0, MAX_PROFILE_TOOLS) }),
  }
  return newest([...rights.filter((right) => right !== before), used], issuedAt, MAX_PROFILE_RIGHTS)
}

interface Use {
  readonly firstUsedAt: number
  readonly lastUsedAt: number
}

const firstAndLast = (before: Use | undefined, at: number): Use => ({
  firstUsedAt: Math.min(before?.firstUsedAt ?? at, at),
  lastUsedAt: Math.max(before?.lastUsedAt ?? at, at),
})

/** Adds a use of a thing that its only field `of` names. */
function withUse<T extends object>(uses: readonly (T & Use)[], of: T, at: number, max: number): (T & Use)[] {
  const [field] = Object.keys(of) as (keyof T)[]
  const before = uses.find((use) => field !== undefined && use[field] === of[field])
  return newest([...uses.filter((use) => use !== before), { ...of, ...firstAndLast(before, at) }], at, max)
}

const newest = <T extends Use>(uses: readonly T[], now: number, max: number): T[] =>
  uses
    .filter(({ lastUsedAt }) => lastUsedAt > now - PROFILE_SECONDS)
    .sort((a, b) => b.lastUsedAt - a.lastUsedAt)
    .slice(0, max)
