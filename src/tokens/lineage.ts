import { refuse } from '../errors.js'
import { AgentId, audienceOf, type TaskId, type TokenId } from '../protocol/ids.js'
import { stands } from '../protocol/standing.js'
import type { TaskGround } from '../tasks/task-ground.js'
import { actsFor, type Caller } from '../transport/caller.js'
import type { TrustLog } from '../trust-log/trust-log.js'
import type { TokenRecord, TokensStore } from './store.js'

export interface LineageDeps {
  readonly tokens: TokensStore
  readonly trustLog: TrustLog
  readonly issuer: string
  readonly findTask: (taskId: TaskId) => Promise<TaskGround | undefined>
}

const MAX_NODES = 500

/** Which token came from which: of a task and its children, or above and below one token. */
export async function lineageOf(deps: LineageDeps, caller: Caller, of: { readonly taskId: TaskId } | { readonly tokenId: TokenId }) {
  return deps.trustLog.fenced(async () => {
    const records = 'taskId' in of ? await ofTask(deps, caller, of.taskId) : await ofToken(deps, caller, of.tokenId)
    return { nodes: records.map((record) => nodeOf(deps, record)) }
  })
}

async function ofTask(deps: LineageDeps, caller: Caller, taskId: TaskId): Promise<readonly TokenRecord[]> {
  const task = await deps.findTask(taskId)
  const { items } = await deps.tokens.find('tasks', { where: { tasks: taskId }, limit: MAX_NODES })
  const isOwner = task !== undefined && task.owner === caller.id
  if (!task || !(isOwner || items.some((one) => isInvolved(deps, caller, one)))) return refuse('not_found', 'no such task')
  // A task's tokens come from root tokens, which belong to no task.
  const roots = await Promise.all(
    [...new Set(items.flatMap(({ parents }) => parents))]
      .filter((id) => !items.some((one) => one.id === id))
      .map((id) => deps.tokens.get(id)),
  )
  return [...roots.filter((one) => one !== undefined), ...items]
}

async function ofToken(deps: LineageDeps, caller: Caller, id: TokenId): Promise<readonly TokenRecord[]> {
  const token = await deps.tokens.get(id)
  if (!token || !isInvolved(deps, caller, token)) return refuse('not_found', 'no such token')
  const found = new Map([[token.id, token]])
  for (const waiting = [...token.parents]; waiting.length > 0 && found.size < MAX_NODES; ) {
    const parent = await deps.tokens.get(waiting.shift() ?? '')
    if (!parent || found.has(parent.id)) continue
    found.set(parent.id, parent)
    waiting.push(...parent.parents)
  }
  for (const waiting = [token.id]; waiting.length > 0 && found.size < MAX_NODES; ) {
    const { items } = await deps.tokens.find('parents', { where: { parents: waiting.shift() ?? '' }, limit: 100 })
    for (const child of items.filter((one) => !found.has(one.id))) {
      found.set(child.id, child)
      waiting.push(child.id)
    }
  }
  return [...found.values()]
}

/** Whom it came from, passed through or was for, and the people of its client's organisation. */
function isInvolved({ issuer }: LineageDeps, caller: Caller, { clientId, sub, actors, audience, orgId }: TokenRecord): boolean {
  const agent = AgentId.safeParse(caller.id)
  if (!agent.success) return actsFor(caller, orgId)
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
    ended: !stands(trustLog.ended, record.on),
  }
}

/** Whether an agent is being called for a task: the audience of an unexpired token of it. */
export async function isCalledFor({ tokens, trustLog, issuer }: LineageDeps, agentId: AgentId, taskId: TaskId): Promise<boolean> {
  const { items } = await tokens.find('calledFor', {
    where: { calledFor: `${audienceOf(issuer, agentId)} ${taskId}` },
    order: 'down',
    limit: 10,
  })
  return items.some(({ on, expiresAt }) => expiresAt > trustLog.now() && stands(trustLog.ended, on))
}
