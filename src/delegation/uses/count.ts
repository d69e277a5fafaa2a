// Counts the uses of introductions, consents, clients, tasks and audiences, apart from the token endpoint, which writes nothing for it.
//
// Algorithm. A use is an issued token, and the audit log already lists these in links of at most 500 rows, which never change. A new link is marked
// `isUncounted`. For each marked link the pass reads its rows and the token records that they name, and commits the changed records together with the
// removal of the mark: so every use is counted exactly once, also after a crash, and of two instances that count a link one succeeds.
//
// Limits: a use is counted within about a minute and a half. A token record that was purged before its link was counted (the registry was stopped for a
// month) is counted as `uncounted` for its client.
import { rowsOfLink } from '../../audit/chain.js'
import type { AuditLink, AuditRow, AuditStore } from '../../audit/store.js'
import type { Clock } from '../../lib/clock.js'
import type { Log } from '../../lib/log.js'
import type { Handle } from '../../protocol/handles.js'
import { ActorId, AgentId, type ConsentId, type IntroductionId, type OrgId, type TaskId, type TokenId } from '../../protocol/ids.js'
import type { Storage } from '../../storage/storage.js'
import { added, DAY_SECONDS, unitOf } from './periods.js'
import { newProfile, type ProfiledToken, withRefusals, withTokens } from './profile.js'
import {
  MAX_PREVIOUS_TASKS,
  PROFILE_DAYS,
  USE_RETENTION_SECONDS,
  type Used,
  type UseRecord,
  type UsesStore,
  usedAudience,
  useId,
} from './store.js'

/** The part of a token record that is counted. */
export interface CountedToken extends ProfiledToken {
  readonly clientId: ActorId
  readonly orgId: OrgId
  readonly dependsOn: readonly Handle[]
  readonly introductionId?: IntroductionId | undefined
  readonly consentId?: ConsentId | undefined
}

export interface CountDeps {
  readonly uses: UsesStore
  readonly audit: { readonly store: AuditStore }
  readonly storage: Pick<Storage, 'commit'>
  readonly findTokenRecord: (id: TokenId) => Promise<CountedToken | undefined>
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly log: Log
}

const PAGE = 10

/** Counts until no link is marked, for at most `maxMs`. */
export async function countUses(deps: CountDeps, maxMs: number, signal?: AbortSignal): Promise<void> {
  const startedMs = deps.clock.monotonicMs()
  const isOver = () => signal?.aborted === true || deps.clock.monotonicMs() - startedMs > maxMs
  for (;;) {
    const { items } = await deps.audit.store.links.find('uncounted', { where: { isUncounted: true }, limit: PAGE })
    for (const link of items) {
      // Another instance has counted it, or changed one of its records
      if (isOver() || !(await countLink(deps, link))) return
    }
    if (items.length < PAGE) return
  }
}

/** False if the link was counted concurrently, or one of the records was changed concurrently. */
async function countLink(deps: CountDeps, link: AuditLink): Promise<boolean> {
  const { uses, audit, storage, log } = deps
  const rows = await rowsOfLink(audit.store, link)
  if (rows.length < link.count)
    log.warn('audit rows were removed before the uses in them were counted', { 'audit.link': link.id, rows: link.count - rows.length })
  const requests = counted(await requestsIn(deps, rows))
  const records = await changesOf(
    requests.flatMap(({ used }) => used.map(useId)),
    (id) => uses.records.get(id),
  )
  const profiles = await changesOf(
    requests.flatMap(({ agentId }) => agentId ?? []),
    (id) => uses.profiles.get(id),
  )
  for (const { row, orgId, agentId, token, used, uses: count } of requests) {
    const isUncounted = token === undefined && row.outcome === 'done'
    for (const one of used)
      records.change(useId(one), (before) =>
        token ? withUses(before, one, token, count) : isUncounted ? withUncounted(before, row, orgId, count) : before,
      )
    if (agentId === undefined || isUncounted) continue
    profiles.change(agentId, (before = newProfile(agentId, orgId)) =>
      token ? withTokens(before, token, count) : withRefusals(before, row.createdAt, count),
    )
  }
  const { ok } = await storage.commit([
    audit.store.links.changing(link.id, { isUncounted: true }, { isUncounted: undefined }),
    ...records
      .changed()
      .map(({ before, after: { id, ...fields } }) =>
        before
          ? uses.records.changing(id, { count: before.count, uncounted: before.uncounted ?? null }, fields)
          : uses.records.inserting({ id, ...fields }),
      ),
    ...profiles
      .changed()
      .map(({ before, after: { agentId, ...fields } }) =>
        before
          ? uses.profiles.changing(agentId, { revision: before.revision }, { ...fields, revision: before.revision + 1 })
          : uses.profiles.inserting({ agentId, ...fields }),
      ),
  ])
  return ok
}

/** A token request, and the token that it got if the record is still stored. */
interface TokenRequest {
  readonly row: AuditRow
  readonly orgId: OrgId
  readonly agentId: AgentId | undefined
  readonly token: CountedToken | undefined
  readonly used: readonly Used[]
}

/** One of each kind of request, with their number. A busy agent repeats the same request many times a second, and a profile is long. */
function counted(requests: readonly TokenRequest[]): readonly (TokenRequest & { readonly uses: number })[] {
  const kinds = new Map<string, TokenRequest & { uses: number }>()
  for (const request of requests) {
    const { row, orgId, token, used } = request
    const { issuedAt, scope, taskId, tools, actors, jkt } = token ?? { issuedAt: row.createdAt }
    const kind = JSON.stringify([row.actor, row.outcome, orgId, used.map(useId), issuedAt, scope, taskId, tools, actors?.length, jkt])
    const first = kinds.get(kind)
    if (first) first.uses++
    else kinds.set(kind, { ...request, uses: 1 })
  }
  return [...kinds.values()]
}

const requestsIn = ({ findTokenRecord }: CountDeps, rows: readonly AuditRow[]): Promise<readonly TokenRequest[]> =>
  Promise.all(
    rows.flatMap((row) => {
      const [orgId] = row.orgIds
      const agent = AgentId.safeParse(row.actor)
      const client = ActorId.safeParse(row.actor)
      if (row.action !== 'oauth.token' || orgId === undefined || !client.success) return []
      const request = async (): Promise<TokenRequest> => {
        const token = row.tokenId && (await findTokenRecord(row.tokenId))
        const used = token ? usedBy(token) : [{ kind: 'client' as const, id: client.data }]
        return { row, orgId, agentId: agent.data, token, used }
      }
      return [request()]
    }),
  )

/** Documents that one commit changes: read once, and changed in memory. */
async function changesOf<D extends object>(ids: readonly string[], read: (id: string) => Promise<D | undefined>) {
  const distinct = [...new Set(ids)]
  const found: readonly (D | undefined)[] = await Promise.all(distinct.map(read))
  const stored = new Map(distinct.map((id, i) => [id, found[i]]))
  const current = new Map(stored)
  return {
    change: (id: string, to: (before: D | undefined) => D | undefined): void => {
      current.set(id, to(current.get(id)))
    },
    changed: (): readonly { readonly before: D | undefined; readonly after: D }[] =>
      [...current].flatMap(([id, after]) => (after === undefined || after === stored.get(id) ? [] : [{ before: stored.get(id), after }])),
  }
}

const usedBy = ({ clientId, audience, dependsOn, taskId, introductionId, consentId }: CountedToken): readonly Used[] => [
  { kind: 'client', id: clientId },
  { kind: 'audience', id: clientId, audience: usedAudience(audience, dependsOn) },
  ...(taskId ? [{ kind: 'task' as const, id: taskId }] : []),
  ...(introductionId ? [{ kind: 'introduction' as const, id: introductionId }] : []),
  ...(consentId ? [{ kind: 'consent' as const, id: consentId }] : []),
]

function withUses(before: UseRecord | undefined, used: Used, { orgId, taskId, issuedAt }: CountedToken, uses: number): UseRecord {
  const record = before ?? newRecord(used, orgId, issuedAt)
  return {
    ...lastUsed(record, issuedAt),
    count: record.count + uses,
    days: added(record.days, unitOf(issuedAt, DAY_SECONDS), uses, PROFILE_DAYS),
    ...(used.kind === 'audience' && { tasks: withTask(record.tasks ?? [], taskId) }),
  }
}

const withTask = (tasks: readonly TaskId[], taskId: TaskId | undefined): TaskId[] =>
  [...new Set([...(taskId ? [taskId] : []), ...tasks])].slice(0, MAX_PREVIOUS_TASKS)

function withUncounted(before: UseRecord | undefined, { actor, createdAt }: AuditRow, orgId: OrgId, uses: number): UseRecord {
  const record = before ?? newRecord({ kind: 'client', id: ActorId.parse(actor) }, orgId, createdAt)
  return { ...lastUsed(record, createdAt), uncounted: (record.uncounted ?? 0) + uses }
}

const newRecord = (used: Used, orgId: OrgId, at: number): UseRecord => ({
  id: useId(used),
  orgId,
  count: 0,
  lastUsedAt: at,
  days: [],
  purgeAt: at + USE_RETENTION_SECONDS,
})

const lastUsed = (record: UseRecord, at: number): UseRecord => {
  const lastUsedAt = Math.max(record.lastUsedAt, at)
  return { ...record, lastUsedAt, purgeAt: lastUsedAt + USE_RETENTION_SECONDS }
}
