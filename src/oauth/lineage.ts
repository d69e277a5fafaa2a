import type { Audit } from '../audit/audit.js'
import type { FindHistory } from '../audit/history.js'
import type { TaskDependencies } from '../delegation/tasks/task-dependencies.js'
import { refuse } from '../errors.js'
import { type Caller, maySee } from '../http/caller.js'
import { subProfileOf } from '../protocol/claims.js'
import { AgentId, audienceOf, type TaskId, type TokenId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Page } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { TokenRecord, TokensStore } from './store.js'

export interface LineageDeps {
  readonly tokens: TokensStore
  readonly trustLog: TrustLog
  readonly audit: Pick<Audit, 'history'>
  readonly issuer: string
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
}

const MAX_NODES = 500
/**
 * Maximum number of tokens of a task that are searched for one that involves the caller. Without one among them, the task is reported as
 * unknown.
 */
const MAX_SCANNED = 20_000

interface LineageRecords {
  readonly records: readonly TokenRecord[]
  /** False if records were left out. */
  readonly isComplete: boolean
}

/**
 * Returns which token came from which, for a task with its descendants, or for one token with its ancestors and descendants. Returns at
 * most the first 500 tokens, parents before children, and whether these are all. The owner of the task and its organisation see every token; other callers see
 * only tokens that involve them.
 */
export async function lineageOf(deps: LineageDeps, caller: Caller, query: { readonly taskId: TaskId } | { readonly tokenId: TokenId }) {
  return deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const { records, isComplete } =
      'taskId' in query ? await lineageOfTask(deps, caller, query.taskId) : await lineageOfToken(deps, caller, query.tokenId)
    const findHistory = deps.audit.history(caller)
    return { nodes: await Promise.all(parentsFirst(records).map((record) => nodeOf(deps, now, record, findHistory))), isComplete }
  })
}

/** Puts parents before children, and otherwise earlier tokens before later ones. Tokens of one second are in the order of their ids. */
function parentsFirst(records: readonly TokenRecord[]): readonly TokenRecord[] {
  const byId = new Map(records.map((record) => [record.id as string, record]))
  const ordered = new Set<TokenRecord>()
  const add = (record: TokenRecord | undefined): void => {
    if (record === undefined || ordered.has(record)) return
    for (const parent of record.parents) add(byId.get(parent))
    ordered.add(record)
  }
  for (const record of [...records].sort((a, b) => a.issuedAt - b.issuedAt || (a.id < b.id ? -1 : 1))) add(record)
  return [...ordered]
}

async function lineageOfTask(deps: LineageDeps, caller: Caller, taskId: TaskId): Promise<LineageRecords> {
  const task = await deps.findTask(taskId)
  const page = await deps.tokens.find('tasks', { where: { tasks: taskId }, limit: MAX_NODES })
  if (!task || !(isOwnTask(caller, task) || (await involvesSome(deps, caller, taskId, page)))) return refuse('not_found', 'no such task')
  const isOwn = isOwnTask(caller, task)
  const items = isOwn ? page.items : page.items.filter((token) => isInvolved(deps, caller, token))
  // The tokens of a task come from root tokens, which belong to no task and are read by id.
  const roots = await Promise.all(
    [...new Set(items.flatMap(({ parents }) => parents))]
      .filter((id) => !items.some((item) => item.id === id))
      .map((id) => deps.tokens.get(id)),
  )
  const visible = roots.filter((root) => root !== undefined && (isOwn || isInvolved(deps, caller, root))) as TokenRecord[] // filtered
  return { records: [...visible, ...items], isComplete: page.next === undefined }
}

/** Reads past the first page, because the token that involves the caller may be on a later one. */
async function involvesSome(deps: LineageDeps, caller: Caller, taskId: TaskId, first: Page<TokenRecord>): Promise<boolean> {
  let page = first
  for (let scanned = 0; scanned < MAX_SCANNED; scanned += MAX_NODES) {
    if (page.items.some((token) => isInvolved(deps, caller, token))) return true
    if (page.next === undefined) return false
    page = await deps.tokens.find('tasks', { where: { tasks: taskId }, limit: MAX_NODES, after: page.next })
  }
  return false
}

async function lineageOfToken(deps: LineageDeps, caller: Caller, id: TokenId): Promise<LineageRecords> {
  const token = await deps.tokens.get(id)
  if (!token || !isInvolved(deps, caller, token)) return refuse('not_found', 'no such token')
  const task = token.taskId && (await deps.findTask(token.taskId))
  const isOwn = task !== undefined && isOwnTask(caller, task)
  const visible = () => [...found.values()].filter((record) => isOwn || isInvolved(deps, caller, record))
  const found = new Map([[token.id, token]])
  for (const queue = [...token.parents]; queue.length > 0 && found.size < MAX_NODES; ) {
    const parent = await deps.tokens.get(queue.shift() ?? '')
    if (!parent || found.has(parent.id)) continue
    found.set(parent.id, parent)
    queue.push(...parent.parents)
  }
  for (const queue = [token.id]; queue.length > 0; ) {
    const { items, next } = await deps.tokens.find('parents', { where: { parents: queue.shift() ?? '' }, limit: MAX_NODES })
    const children = items.filter(({ id }) => !found.has(id))
    for (const child of children.slice(0, MAX_NODES - found.size)) {
      found.set(child.id, child)
      queue.push(child.id)
    }
    if (next !== undefined || children.some(({ id }) => !found.has(id))) return { records: visible(), isComplete: false }
  }
  return { records: visible(), isComplete: true }
}

export const isOwnTask = (caller: Caller, { owner, orgId }: TaskDependencies): boolean => owner === caller.id || maySee(caller, orgId)

/** True for the token's client, subject, actors and audience, the person for whom it is, and members of the client's organisation. */
export function isInvolved(
  { issuer }: Pick<LineageDeps, 'issuer'>,
  caller: Caller,
  { clientId, sub, memberId, actors, audience, orgId }: TokenRecord,
): boolean {
  const agent = AgentId.safeParse(caller.id)
  if (!agent.success) return caller.id === memberId || maySee(caller, orgId)
  return (
    clientId === caller.id ||
    sub === caller.id ||
    actors.some((actor) => actor === caller.id) ||
    audience === audienceOf(issuer, agent.data)
  )
}

/** A token in a list or a lineage. */
export type LineageNode = Awaited<ReturnType<typeof nodeOf>>

/** What ended after the token had expired does not count. By then the ended set may have forgotten what ended before. */
export async function nodeOf({ trustLog }: LineageDeps, now: number, record: TokenRecord, findHistory: FindHistory) {
  const { id, parents, clientId, sub, audience, scope, actors, taskId, introductionId, issuedAt, expiresAt, dependsOn } = record
  const { tools, resources, delegation, maxCalls, usedCalls, usedUnits } = record
  const hasExpired = expiresAt <= now
  const wasRevoked = !hasExpired && !stands(trustLog.ended, dependsOn)
  const ending = wasRevoked || hasExpired ? await findHistory(dependsOn, expiresAt) : undefined
  return {
    tokenId: id,
    parents,
    clientId,
    sub,
    subProfile: subProfileOf(sub),
    audience,
    scope,
    act: actors,
    actProfiles: actors.map(subProfileOf),
    taskId,
    introductionId,
    issuedAt,
    expiresAt,
    tools,
    resources,
    delegation,
    maxCalls,
    usedCalls,
    usedUnits,
    revoked: wasRevoked || ending !== undefined,
    handles: dependsOn,
    ...ending,
  }
}

/** True if the agent is the audience of a token of the task that stands and has not expired. */
export async function isCalledFor({ tokens, trustLog, issuer }: LineageDeps, agentId: AgentId, taskId: TaskId): Promise<boolean> {
  const { items } = await tokens.find('calledFor', {
    where: { calledFor: `${audienceOf(issuer, agentId)} ${taskId}` },
    order: 'down',
    limit: 10,
  })
  return items.some(({ dependsOn, expiresAt }) => expiresAt > trustLog.now() && stands(trustLog.ended, dependsOn))
}
