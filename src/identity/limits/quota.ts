// Quotas on rows that stand, exact for any number of instances.
//
// Algorithm. A quota has a *generation*: how many rows may still be created, and a counter that the commit of each creation increases. A commit past
// the end of the counter fails as a whole. Then the rows that stand are counted, and the next generation begins with the number that is free. No row
// can be created under a generation whose counter has ended, so nothing is created between the count and the next generation.
//
// Cost: one read before a creation, one counter in its commit, and a count of the rows at the end of a generation.
// Limits. While a limit itself is changed, creations in progress still count for the old one. Agents are counted newest first, until twice the limit
// was read; older agents behind many suspended or revoked ones are missed.
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import type { OrgId } from '../../protocol/ids.js'
import type { Cursor, Group, Page } from '../../storage/storage.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import { NO_LIMIT } from './limits.js'
import { countingIn, GENERATION_SECONDS, type Generation, type QuotasStore } from './quotas-store.js'

/** A quota of one client, organisation or pair. */
export interface Quota {
  readonly id: string
  readonly orgId: OrgId
  readonly limit: number
  readonly refusalText: string
  /** Counts the rows that stand; may stop at `atMost`. */
  readonly count: (atMost: number) => Promise<number>
}

interface QuotaDeps {
  readonly quotas: QuotasStore
  readonly random: Random
  readonly trustLog: Pick<TrustLog, 'now'>
}

/** The text of a refusal to a caller that may read the limit. */
export const quotaText = (owner: string, limit: number, noun: string, remedy: string): string =>
  `${owner} has ${limit} ${noun}${limit === 1 ? '' : 's'}, the maximum: ${remedy}, or ask an administrator of your organisation to raise the limit (limits.set)`

/** Commits a creation. The operations of the commit begin with `counting`. */
export type CountedCommit = (counting: Group) => Promise<Committed>

const MAX_ATTEMPTS = 20

/** Commits a creation that counts for the quotas, or refuses it with `conflict`. `failed` in the result does not count the counters. */
export async function commitWithinQuotas(deps: QuotaDeps, all: readonly Quota[], commit: CountedCommit): Promise<Committed> {
  const quotas = all.filter(({ limit }) => limit !== NO_LIMIT)
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    const generations = await Promise.all(quotas.map((quota) => currentGeneration(deps, quota)))
    const committed = await commit(generations.map(countingIn))
    if (committed.outcome !== 'conflict') return committed
    const [exhausted, ended] = [quotas[committed.failed], generations[committed.failed]]
    if (!exhausted || !ended) return { ...committed, failed: committed.failed - quotas.length }
    await startGeneration(deps, exhausted, ended)
  }
  return refuse('unavailable', 'too many concurrent changes: try again in a second', { retryAfterSeconds: 1 })
}

async function currentGeneration(deps: QuotaDeps, quota: Quota): Promise<Generation> {
  const known = await deps.quotas.get(quota.id)
  return known?.limit === quota.limit ? known : startGeneration(deps, quota, known)
}

/** Counts the rows and replaces the generation `ended`. Of several callers at once, one succeeds, and the others use its generation. */
async function startGeneration({ quotas, random, trustLog }: QuotaDeps, quota: Quota, ended: Generation | undefined): Promise<Generation> {
  const { id, orgId, limit, refusalText, count } = quota
  const free = limit - (await count(limit))
  if (free <= 0) return refuse('conflict', refusalText)
  const next = { orgId, generation: random.token(16), free, limit, expiresAt: trustLog.now() + GENERATION_SECONDS }
  if (ended) await quotas.change(id, { generation: ended.generation }, next)
  else await quotas.insert({ id, ...next })
  return (await quotas.get(id)) ?? { id, ...next }
}

/** Counts rows page by page, newest first, until there are `atMost` of them or twice as many were read, so older ones may be missed. */
export async function countNewest<D extends object>(
  readPage: (after?: Cursor) => Promise<Page<D>>,
  isCounted: (row: D) => boolean,
  atMost: number,
): Promise<number> {
  let [found, read] = [0, 0]
  for (let after: Cursor | undefined; ; ) {
    const { items, next }: Page<D> = await readPage(after)
    found += items.filter(isCounted).length
    read += items.length
    if (next === undefined || found >= atMost || read >= 2 * atMost) return Math.min(found, atMost)
    after = next
  }
}
