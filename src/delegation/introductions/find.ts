import type { Limits } from '../../identity/limits/limits.js'
import { type Quota, quotaText } from '../../identity/limits/quota.js'
import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { Handle } from '../../protocol/handles.js'
import { type AgentId, isResourceId, type TargetId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { Query } from '../../storage/storage.js'
import type { CacheableRead } from '../../trust-log/cache.js'
import { grantedSince } from '../../trust-log/granted-since.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { GrantedIntroduction } from './decide/granted.js'
import type { Introduction, IntroductionsStore } from './store.js'

export interface FindIntroductionDeps {
  readonly introductions: IntroductionsStore
  readonly trustLog: Pick<TrustLog, 'ended' | 'now'>
}

/** Maximum number of standing introductions that one call reads, those that expire last first. The others are not found. */
const MAX_READ = 2000
const PAGE = 100
/** Maximum number of target agents that a search considers: those whose introductions expire last. */
const MAX_TARGETS = 200

/** Finds the introductions from an agent to a target that stand, newest first. Call after the read barrier. */
export async function findGranted(deps: FindIntroductionDeps, from: AgentId, to: TargetId): Promise<readonly GrantedIntroduction[]> {
  const pair = `${from} ${to}`
  const granted = await deps.introductions.granted.getOrRead(pair, () => readGranted(deps, pair))
  return granted?.filter((introduction) => isStanding(deps, introduction)) ?? []
}

/**
 * Reads the value for the cache; readers of the cache check each introduction's standing again. Undefined if there is none: absence is
 * not cached.
 */
async function readGranted(deps: FindIntroductionDeps, pair: string): Promise<CacheableRead<readonly GrantedIntroduction[]> | undefined> {
  const found: { readonly granted: GrantedIntroduction; readonly createdAt: number }[] = []
  for await (const record of grantedIn(deps, 'pairGranted', { pair })) {
    const granted = grantedOf(record)
    if (granted && isStanding(deps, granted)) found.push({ granted, createdAt: record.createdAt })
  }
  const value = found.sort((a, b) => b.createdAt - a.createdAt).map(({ granted }) => granted)
  return value.length === 0 ? undefined : { value, dependsOn: [] }
}

/**
 * Finds the agents that `from` is introduced to, each with the introductions that stand. The caller must still check what they rely on
 * (`sortByReliance`).
 */
export async function findIntroducedTo(
  deps: FindIntroductionDeps,
  from: AgentId,
): Promise<ReadonlyMap<AgentId, readonly GrantedIntroduction[]>> {
  const found = new Map<AgentId, GrantedIntroduction[]>()
  for await (const record of grantedIn(deps, 'fromGranted', { from })) {
    const granted = grantedOf(record)
    if (granted && !isResourceId(record.to) && isStanding(deps, granted)) found.set(record.to, [...(found.get(record.to) ?? []), granted])
    if (found.size === MAX_TARGETS) break
  }
  return found
}

/**
 * Yields granted introductions that have not expired, in descending order of expiry. Those that ended with something that they depend on
 * (an agent, an organisation) are marked as ended and so leave the index: they never displace one that stands.
 */
export async function* grantedIn(
  { introductions, trustLog }: FindIntroductionDeps,
  index: 'pairGranted' | 'fromGranted' | 'toGranted',
  where: Query<Introduction>['where'],
  maxRead = MAX_READ,
): AsyncGenerator<Introduction, void, undefined> {
  const query = { where: { ...where, state: 'granted' }, order: 'down', limit: PAGE } as const
  let page = await introductions.find(index, query)
  for (let read = 0; ; ) {
    const live = page.items.filter(({ expiresAt = 0 }) => expiresAt > trustLog.now())
    const ended = live.filter(({ handle, dependsOn = [] }) => !stands(trustLog.ended, [handle, ...dependsOn]))
    await Promise.all(ended.map(({ id }) => introductions.change(id, { state: 'granted' }, { state: 'ended' })))
    const standing = live.filter((record) => !ended.includes(record))
    yield* standing
    read += standing.length
    if (page.next === undefined || live.length < page.items.length || read >= maxRead) return
    page = await introductions.find(index, { ...query, after: page.next })
  }
}

function grantedOf({
  id,
  from,
  to,
  state,
  bounds,
  taskId,
  reliance,
  dependsOn,
  handle,
  boundsVersion,
  expiresAt,
  byFirstRequest,
  pendingBecause,
}: Introduction): GrantedIntroduction | undefined {
  if (state !== 'granted' || !bounds || !reliance || !dependsOn || expiresAt === undefined) return undefined
  const byPolicy = pendingBecause === undefined
  return {
    id,
    from,
    to,
    bounds,
    taskId,
    reliance,
    byPolicy,
    byFirstRequest: byFirstRequest === true,
    dependencies: dependenciesOf([handle, boundsVersion, ...dependsOn], expiresAt),
  }
}

const isStanding = ({ trustLog }: FindIntroductionDeps, { dependencies }: GrantedIntroduction): boolean =>
  dependencies.expiresAt > trustLog.now() && stands(trustLog.ended, dependencies.handles)

/** Counts the standing introductions of a pair, or to an agent, up to `atMost`. */
async function countGranted(
  deps: FindIntroductionDeps,
  where: { readonly pair: string } | { readonly to: TargetId },
  atMost: number,
): Promise<number> {
  let found = 0
  for await (const _ of grantedIn(deps, 'pair' in where ? 'pairGranted' : 'toGranted', where, atMost)) if (++found >= atMost) break
  return found
}

/** The quotas on the introductions of a pair, by the limits of the requester, and to one agent, by those of the target. */
export const introductionQuotas = (
  deps: FindIntroductionDeps,
  { pair, to, fromOrg, toOrg }: Introduction,
  { ofRequester, ofTarget }: { readonly ofRequester: Limits; readonly ofTarget: Limits },
): readonly Quota[] => [
  {
    id: `introductions ${pair}`,
    orgId: fromOrg,
    limit: ofRequester.introductionsPerPair,
    refusalText: quotaText('this pair', ofRequester.introductionsPerPair, 'introduction', 'revoke one'),
    count: (atMost) => countGranted(deps, { pair }, atMost),
  },
  {
    id: `introductions to ${to}`,
    orgId: toOrg,
    limit: ofTarget.introductionsPerTarget,
    refusalText: 'the target can have no more introductions at the moment',
    count: (atMost) => countGranted(deps, { to }, atMost),
  },
]

export const endingOfIntroduction = ({ handle, expiresAt }: Introduction): Ending =>
  expiresAt === undefined ? { handle } : { handle, horizon: expiresAt + SKEW_SECONDS }

/** Endings of the introductions that `granter` granted at or after `since` (epoch seconds). */
export const introductionsGrantedBy = (
  { introductions }: Pick<FindIntroductionDeps, 'introductions'>,
  granter: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(introductions, {
    grantedBy: granter,
    since,
    createdAt: ({ grantedAt }) => grantedAt ?? 0,
    ending: endingOfIntroduction,
  })
