import type { TaskDependencies } from '../delegation/tasks/task-dependencies.js'
import { refuse } from '../errors.js'
import { type Caller, isMemberOf } from '../http/caller.js'
import { AgentId, audienceOf, type TaskId, type TokenId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { Page } from '../storage/storage.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { TokenRecord, TokensStore } from './store.js'

export interface LineageDeps {
  readonly tokens: TokensStore
  readonly trustLog: TrustLog
  readonly issuer: string
  readonly findTask: (taskId: TaskId) => Promise<TaskDependencies | undefined>
}

const MAX_NODES = 500
/** So many tokens of a task are looked through for one that the caller has to do with. */
const MAX_LOOKED_AT = 20_000

interface Found {
  readonly records: readonly TokenRecord[]
  /** False where there are more than are shown. */
  readonly isComplete: boolean
}

/**
 * Which token came from which: of a task and its children, or above and below one token. The earliest 500, and whether these are all.
 * Whose task it is sees all of it; everybody else what they have to do with: whom else a caller calls is not their business.
 */
export async function lineageOf(deps: LineageDeps, caller: Caller, of: { readonly taskId: TaskId } | { readonly tokenId: TokenId }) {
  return deps.trustLog.afterBarrier(async () => {
    const { records, isComplete } = 'taskId' in of ? await ofTask(deps, caller, of.taskId) : await ofToken(deps, caller, of.tokenId)
    return { nodes: records.map((record) => nodeOf(deps, record)), isComplete }
  })
}

async function ofTask(deps: LineageDeps, caller: Caller, taskId: TaskId): Promise<Found> {
  const task = await deps.findTask(taskId)
  const page = await deps.tokens.find('tasks', { where: { tasks: taskId }, limit: MAX_NODES })
  if (!task || !(isOwnTask(caller, task) || (await involvesSome(deps, caller, taskId, page)))) return refuse('not_found', 'no such task')
  const isOwn = isOwnTask(caller, task)
  const items = isOwn ? page.items : page.items.filter((one) => isInvolved(deps, caller, one))
  // A task's tokens come from root tokens, which belong to no task.
  const roots = await Promise.all(
    [...new Set(items.flatMap(({ parents }) => parents))]
      .filter((id) => !items.some((one) => one.id === id))
      .map((id) => deps.tokens.get(id)),
  )
  const seen = roots.filter((one) => one !== undefined && (isOwn || isInvolved(deps, caller, one))) as TokenRecord[] // filtered
  return { records: [...seen, ...items], isComplete: page.next === undefined }
}

/** Also where the token that involves the caller is none of those that are shown. */
async function involvesSome(deps: LineageDeps, caller: Caller, taskId: TaskId, first: Page<TokenRecord>): Promise<boolean> {
  let page = first
  for (let seen = 0; seen < MAX_LOOKED_AT; seen += MAX_NODES) {
    if (page.items.some((one) => isInvolved(deps, caller, one))) return true
    if (page.next === undefined) return false
    page = await deps.tokens.find('tasks', { where: { tasks: taskId }, limit: MAX_NODES, after: page.next })
  }
  return false
}

async function ofToken(deps: LineageDeps, caller: Caller, id: TokenId): Promise<Found> {
  const token = await deps.tokens.get(id)
  if (!token || !isInvolved(deps, caller, token)) return refuse('not_found', 'no such token')
  const task = token.taskId && (await deps.findTask(token.taskId))
  const isOwn = task !== undefined && isOwnTask(caller, task)
  const shown = () => [...found.values()].filter((one) => isOwn || isInvolved(deps, caller, one))
  const found = new Map([[token.id, token]])
  for (const waiting = [...token.parents]; waiting.length > 0 && found.size < MAX_NODES; ) {
    const parent = await deps.tokens.get(waiting.shift() ?? '')
    if (!parent || found.has(parent.id)) continue
    found.set(parent.id, parent)
    waiting.push(...parent.parents)
  }
  for (const waiting = [token.id]; waiting.length > 0; ) {
    const { items, next } = await deps.tokens.find('parents', { where: { parents: waiting.shift() ?? '' }, limit: MAX_NODES })
    const children = items.filter((one) => !found.has(one.id))
    for (const child of children.slice(0, MAX_NODES - found.size)) {
      found.set(child.id, child)
      waiting.push(child.id)
    }
    if (next !== undefined || children.some((one) => !found.has(one.id))) return { records: shown(), isComplete: false }
  }
  return { records: shown(), isComplete: true }
}

const isOwnTask = (caller: Caller, { owner, orgId }: TaskDependencies): boolean => owner === caller.id || isMemberOf(caller, orgId)

/** Whom it came from, passed through or was for, and the people of its client's organisation. */
function isInvolved({ issuer }: LineageDeps, caller: Caller, { clientId, sub, actors, audience, orgId }: TokenRecord): boolean {
  const agent = AgentId.safeParse(caller.id)
  if (!agent.success) return isMemberOf(caller, orgId)
  return (
    clientId === caller.id || sub === caller.id || actors.some((one) => one === caller.id) || audience === audienceOf(issuer, agent.data)
  )
}

function nodeOf({ trustLog }: LineageDeps, record: TokenRecord) {
  const { id, parents, clientId, sub, audience, scope, actors, taskId, introductionId, issuedAt, expiresAt } = record
  return {
    tokenId: id,
    parents,
    clientId,
    sub,
    audience,
    scope,
    act: actors,
    taskId,
    introductionId,
    issuedAt,
    expiresAt,
    ended: !stands(trustLog.ended, record.dependsOn),
  }
}

/** Whether an agent is being called for a task: the audience of an unexpired token of it. */
export async function isCalledFor({ tokens, trustLog, issuer }: LineageDeps, agentId: AgentId, taskId: TaskId): Promise<boolean> {
  const { items } = await tokens.find('calledFor', {
    where: { calledFor: `${audienceOf(issuer, agentId)} ${taskId}` },
    order: 'down',
    limit: 10,
  })
  return items.some(({ dependsOn, expiresAt }) => expiresAt > trustLog.now() && stands(trustLog.ended, dependsOn))
}
