import { SKEW_SECONDS } from '../../protocol/claims.js'
import type { Handle } from '../../protocol/handles.js'
import type { AgentId } from '../../protocol/ids.js'
import type { Ending } from '../../protocol/log/entry.js'
import { dependenciesOf, stands } from '../../protocol/standing.js'
import type { Query } from '../../storage/storage.js'
import type { CacheableRead } from '../../trust-log/records/cache.js'
import { grantedSince } from '../../trust-log/records/granted-since.js'
import { isWhole } from '../../trust-log/records/records.js'
import type { TrustLog } from '../../trust-log/trust-log.js'
import type { Granted } from './decide/granted.js'
import type { Introduction, IntroductionsStore } from './store.js'

export interface FindIntroductionDeps {
  readonly introductions: IntroductionsStore
  readonly trustLog: Pick<TrustLog, 'ended' | 'now'>
}

/** So many are read for an answer: what was denied, ended by a side, or has expired is not among them. */
const MAX_READ = 2000
const PAGE = 100
/** To so many agents is one introduced, for a search. */
const MAX_TARGETS = 200

/** Introductions from one agent to another that stand, the newest first. Asked behind a fence. */
export async function findGranted(deps: FindIntroductionDeps, from: AgentId, to: AgentId): Promise<readonly Granted[]> {
  const pair = `${from} ${to}`
  const granted = await deps.introductions.granted.getOrRead(pair, () => readGranted(deps, pair))
  return granted?.filter((one) => isStanding(deps, one)) ?? []
}

/** Undefined where none was found: another may be on its way. That each still stands is asked whenever they are recalled. */
async function readGranted(deps: FindIntroductionDeps, pair: string): Promise<CacheableRead<readonly Granted[]> | undefined> {
  const found: { readonly granted: Granted; readonly at: number }[] = []
  let isAllWhole = true
  for await (const one of grantedIn(deps, 'pairGranted', { pair })) {
    isAllWhole &&= isWhole(one)
    const current = await currentOf(deps, one)
    const granted = current && grantedOf(current)
    if (granted && isStanding(deps, granted)) found.push({ granted, at: one.at })
  }
  const value = found.sort((a, b) => b.at - a.at).map(({ granted }) => granted)
  return value.length === 0 ? undefined : { value, dependsOn: [], isWhole: isAllWhole }
}

/** The agents that this one is introduced to, with the introductions that stand: whether what they rely on still holds is to be judged. */
export async function findIntroducedTo(deps: FindIntroductionDeps, from: AgentId): Promise<ReadonlyMap<AgentId, readonly Granted[]>> {
  const found = new Map<AgentId, Granted[]>()
  for await (const one of grantedIn(deps, 'fromGranted', { from })) {
    const granted = grantedOf(one)
    if (granted && isStanding(deps, granted)) found.set(one.to, [...(found.get(one.to) ?? []), granted])
    if (found.size === MAX_TARGETS) break
  }
  return found
}

/** What was granted and has not expired, the longest lasting first. */
async function* grantedIn(
  { introductions, trustLog }: FindIntroductionDeps,
  index: 'pairGranted' | 'fromGranted',
  of: Query<Introduction>['where'],
): AsyncGenerator<Introduction, void, undefined> {
  const query = { where: { ...of, state: 'granted' }, order: 'down', limit: PAGE } as const
  let page = await introductions.collection.find(index, query)
  for (let read = PAGE; ; read += PAGE) {
    for (const one of page.items) {
      if ((one.expiresAt ?? 0) <= trustLog.now()) return
      yield one
    }
    if (page.next === undefined || read >= MAX_READ) return
    page = await introductions.collection.find(index, { ...query, after: page.next })
  }
}

/** What waits to become granted is completed by whoever meets it. */
async function currentOf(deps: FindIntroductionDeps, one: Introduction): Promise<Introduction | undefined> {
  return isWhole(one) ? one : deps.introductions.get(one.id)
}

function grantedOf({
  id,
  from,
  to,
  state,
  bounds,
  pinnedVersions,
  dependsOn,
  handle,
  ver,
  expiresAt,
  hidden,
}: Introduction): Granted | undefined {
  if (state !== 'granted' || hidden !== undefined || !bounds || !pinnedVersions || !dependsOn || expiresAt === undefined) return undefined
  return { id, from, to, bounds, pinnedVersions, dependencies: dependenciesOf([handle, ver, ...dependsOn], expiresAt) }
}

const isStanding = ({ trustLog }: FindIntroductionDeps, { dependencies }: Granted): boolean =>
  dependencies.expiresAt > trustLog.now() && stands(trustLog.ended, dependencies.handles)

export const endingOfIntroduction = ({ handle, expiresAt }: Introduction): Ending =>
  expiresAt === undefined ? { handle } : { handle, horizon: expiresAt + SKEW_SECONDS }

/** Introductions that were granted by the handle since then. */
export const introductionsGrantedBy = (
  { introductions }: Pick<FindIntroductionDeps, 'introductions'>,
  by: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(introductions.collection, { by, since, at: ({ grantedAt }) => grantedAt ?? 0, ending: endingOfIntroduction })
