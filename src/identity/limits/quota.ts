// Quotas on rows that stand, exact for any number of instances.
//
// Algorithm. A quota has a *generation*: how many rows may still be created, and a counter that the commit of each creation increases. A commit past
// the end of the counter fails as a whole. Then the rows that stand are counted and the next generation begins with what is free. Nobody can create
// under a generation whose counter has ended, so nothing is created between the count and the next generation.
//
// Cost: one read before a creation, one counter in its commit, and a count of the rows at the end of a generation.
// Limits. While a limit itself is changed, creations in progress still count for the old one. Agents are counted from the newest on and at most twice
// the limit is read, so agents that stand behind many that were revoked are not counted.
import { z } from 'zod'
import { refuse } from '../../errors.js'
import type { Random } from '../../lib/random.js'
import { OrgId } from '../../protocol/ids.js'
import type { Collection, Cursor, Group, Operation, OwnedSpec, Page, Storage } from '../../storage/storage.js'
import type { Committed, TrustLog } from '../../trust-log/trust-log.js'
import { NO_LIMIT } from './limits.js'

/** The current generation of a quota. */
const Generation = z.strictObject({
  /** What is counted, and for whom: `open tasks agt_…`. */
  id: z.string().max(128),
  orgId: OrgId,
  generation: z.string().max(32),
  /** How many rows could be created when the generation began. */
  free: z.int().min(1),
  limit: z.int().min(1),
  expiresAt: z.int(),
})
type Generation = z.infer<typeof Generation>

type QuotasStore = Collection<Generation>

export const QUOTAS: OwnedSpec<Generation> = {
  name: 'quotas',
  schema: Generation,
  key: 'id',
  indexes: {},
  expires: 'expiresAt',
  ownedBy: ['orgId'],
}

export const quotasStore = ({ storage }: { readonly storage: Storage }): QuotasStore => storage.collection(QUOTAS)

/** A quota of one client, organisation or pair. */
interface Quota {
  readonly id: string
  readonly orgId: OrgId
  readonly limit: number
  /** The text of the refusal. */
  readonly full: string
  /** Counts the rows that stand; may stop at `atMost`. */
  readonly count: (atMost: number) => Promise<number>
}

interface QuotaDeps {
  readonly quotas: QuotasStore
  readonly random: Random
  readonly trustLog: Pick<TrustLog, 'now'>
}

/** Commits a creation. The operations of the commit begin with `counting`. */
export type CountedCommit = (counting: Group) => Promise<Committed>

const GENERATION_SECONDS = 30 * 86_400
const MAX_ATTEMPTS = 20

/** Commits a creation that counts for the quotas, or refuses it with `conflict`. `failed` in the result does not count the counters. */
export async function commitWithin(deps: QuotaDeps, all: readonly Quota[], commit: CountedCommit): Promise<Committed> {
  const quotas = all.filter(({ limit }) => limit !== NO_LIMIT)
  for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
    const generations = await Promise.all(quotas.map((quota) => currentOf(deps, quota)))
    const committed = await commit(generations.map(counting))
    if (committed.outcome !== 'overtaken') return committed
    const [full, ended] = [quotas[committed.failed], generations[committed.failed]]
    if (!full || !ended) return { ...committed, failed: committed.failed - quotas.length }
    await beginNext(deps, full, ended)
  }
  return refuse('unavailable', 'too many concurrent changes: try again in a second', { retryAfterSeconds: 1 })
}

async function currentOf(deps: QuotaDeps, quota: Quota): Promise<Generation> {
  const known = await deps.quotas.get(quota.id)
  return known?.limit === quota.limit ? known : beginNext(deps, quota, known)
}

/** Counts the rows and replaces the generation `ended`. Of several callers at once, one succeeds, and the others use its generation. */
async function beginNext({ quotas, random, trustLog }: QuotaDeps, quota: Quota, ended: Generation | undefined): Promise<Generation> {
  const { id, orgId, limit, full, count } = quota
  const free = limit - (await count(limit))
  if (free <= 0) return refuse('conflict', full)
  const next = { orgId, generation: random.token(16), free, limit, expiresAt: trustLog.now() + GENERATION_SECONDS }
  if (ended) await quotas.change(id, { generation: ended.generation }, next)
  else await quotas.insert({ id, ...next })
  return (await quotas.get(id)) ?? { id, ...next }
}

/** The counter outlives the generation, so it never starts again while the generation is in use. */
const counting = ({ id, generation, free, expiresAt }: Generation): Operation => ({
  kind: 'count',
  key: `${id} ${generation}`,
  by: 1,
  limit: free,
  expiresAt: expiresAt + GENERATION_SECONDS,
})

/** Counts rows page by page, newest first, until there are `atMost` of them. Reads at most twice as many rows, so older ones may be missed. */
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
