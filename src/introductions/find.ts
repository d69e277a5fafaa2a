import { SKEW_SECONDS } from '../protocol/claims.js'
import type { Ending } from '../protocol/entry.js'
import type { Handle } from '../protocol/handles.js'
import type { AgentId } from '../protocol/ids.js'
import { groundOf, stands } from '../protocol/standing.js'
import { grantedSince } from '../trust-log/granted-since.js'
import type { Reading } from '../trust-log/memory.js'
import { isWhole } from '../trust-log/records.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { Granted } from './granted.js'
import type { Introduction, IntroductionsStore } from './store.js'

export interface FindIntroductionDeps {
  readonly introductions: IntroductionsStore
  readonly trustLog: Pick<TrustLog, 'ended' | 'now'>
}

const MAX_CANDIDATES = 100

/** Introductions from one agent to another that stand, the newest first. Asked behind a fence. */
export async function findGranted(deps: FindIntroductionDeps, from: AgentId, to: AgentId): Promise<readonly Granted[]> {
  const pair = `${from} ${to}`
  const granted = await deps.introductions.granted.recall(pair, () => readGranted(deps, pair))
  return granted?.filter((one) => isStanding(deps, one)) ?? []
}

/** Undefined where none was found: another may be on its way. That each still stands is asked whenever they are recalled. */
async function readGranted(deps: FindIntroductionDeps, pair: string): Promise<Reading<readonly Granted[]> | undefined> {
  const { items } = await deps.introductions.collection.find('pair', { where: { pair }, order: 'down', limit: MAX_CANDIDATES })
  const current = await Promise.all(items.map((one) => currentOf(deps, one)))
  const value = current.flatMap((one) => (one && grantedOf(one)) ?? []).filter((one) => isStanding(deps, one))
  return value.length === 0 ? undefined : { value, on: [], isWhole: items.every(isWhole) }
}

/** The agents that this one is introduced to. */
export async function findIntroducedTo(deps: FindIntroductionDeps, from: AgentId, limit = 200): Promise<readonly Granted[]> {
  const { items } = await deps.introductions.collection.find('from', { where: { from }, order: 'down', limit })
  return items.map(grantedOf).filter((one) => one !== undefined && isStanding(deps, one)) as Granted[] // filtered
}

/** What waits to become granted is completed by whoever meets it. */
async function currentOf(deps: FindIntroductionDeps, one: Introduction): Promise<Introduction | undefined> {
  return isWhole(one) ? one : deps.introductions.get(one.id)
}

function grantedOf({ id, from, to, state, bounds, relies, on, handle, ver, expiresAt, hidden }: Introduction): Granted | undefined {
  if (state !== 'granted' || hidden !== undefined || !bounds || !relies || !on || expiresAt === undefined) return undefined
  return { id, from, to, bounds, relies, ground: groundOf([handle, ver, ...on], expiresAt) }
}

const isStanding = ({ trustLog }: FindIntroductionDeps, { ground }: Granted): boolean =>
  ground.until > trustLog.now() && stands(trustLog.ended, ground.on)

export const endingOfIntroduction = ({ handle, expiresAt }: Introduction): Ending =>
  expiresAt === undefined ? { handle } : { handle, horizon: expiresAt + SKEW_SECONDS }

/** Introductions that were granted by the handle since then. */
export const introductionsGrantedBy = (
  { introductions }: Pick<FindIntroductionDeps, 'introductions'>,
  by: Handle,
  since: number,
): Promise<readonly Ending[]> =>
  grantedSince(introductions.collection, { by, since, at: ({ grantedAt }) => grantedAt ?? 0, ending: endingOfIntroduction })
