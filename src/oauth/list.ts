import { findIntroduction } from '../delegation/introductions/capability/find.js'
import { isAsk } from '../delegation/introductions/capability/store.js'
import type { IntroductionDeps } from '../delegation/introductions/introduction-deps.js'
import { refuse } from '../errors.js'
import { type Caller, maySee } from '../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../http/paging.js'
import type { Clients } from '../identity/clients/clients.js'
import { type Audience, agentOfAudience, type ClientId, type IntroductionId, type TaskId } from '../protocol/ids.js'
import { MAX_TOKEN_SECONDS } from '../protocol/rights.js'
import { stands } from '../protocol/standing.js'
import type { Cursor, Page, Query } from '../storage/storage.js'
import { isOwnTask, type LineageDeps, type LineageNode, nodeOf } from './lineage.js'
import type { TokenRecord } from './store.js'

export type ListTokensDeps = LineageDeps &
  Pick<IntroductionDeps, 'introductions' | 'capabilities'> & {
    readonly clients: Clients
  }

type TokenFilter =
  | { readonly client: ClientId }
  | { readonly task: TaskId }
  | { readonly introduction: IntroductionId }
  | { readonly audience: Audience }

const PAGE = 100
/** Maximum number of records that one call reads in search of tokens that are alive. If more remain, the page has a cursor. */
const MAX_READ = 2000

/**
 * Lists the tokens of a client, a task with its descendants, an introduction or an audience, newest first. `alive`: only those that have not expired
 * and stand. For the client or audience itself, the owner of the task, both agents of the introduction, members of their organisations, and operators.
 */
export async function listTokens(
  deps: ListTokensDeps,
  caller: Caller,
  filter: TokenFilter,
  { alive, ...paging }: PageInput & { readonly alive: boolean },
): Promise<{ readonly items: readonly LineageNode[]; readonly cursor?: string }> {
  return deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    if (!(await mayList(deps, caller, filter))) refuse('not_found', 'no such client, task, introduction or audience')
    const query = { ...queryOf(filter), ...cursorOf(paging) }
    const page = alive ? await readAlive(deps, query, now) : await deps.tokens.find(query.index, { ...query, order: 'down' })
    const findHistory = deps.audit.history(caller)
    const items = await Promise.all(page.items.map((record) => nodeOf(deps, now, record, findHistory)))
    return pageOf({ ...page, items }, (node) => node)
  })
}

async function mayList(deps: ListTokensDeps, caller: Caller, filter: TokenFilter): Promise<boolean> {
  if ('task' in filter) {
    const task = await deps.findTask(filter.task)
    return task !== undefined && isOwnTask(caller, task)
  }
  if ('introduction' in filter) {
    const introduction = await findIntroduction(deps, caller, filter.introduction)
    // A request that an agent was asked because of a capability has the id of the introduction that another agent may have granted
    return introduction !== undefined && !isAsk(introduction)
  }
  const id = 'client' in filter ? filter.client : agentOfAudience(deps.issuer, filter.audience)
  const client = id && (await deps.clients.find(id))
  return client !== undefined && (client.id === caller.id || maySee(caller, client.orgId))
}

interface TokenIndex {
  readonly index: string
  readonly where: Query<TokenRecord>['where']
}

function queryOf(filter: TokenFilter): TokenIndex {
  if ('client' in filter) return { index: 'client', where: { clientId: filter.client } }
  if ('task' in filter) return { index: 'tasks', where: { tasks: filter.task } }
  if ('introduction' in filter) return { index: 'introduction', where: { introductionId: filter.introduction } }
  return { index: 'audience', where: { audience: filter.audience } }
}

interface TokenQuery extends TokenIndex {
  readonly limit: number
  readonly after?: Cursor
}

async function readAlive(
  { tokens, trustLog }: ListTokensDeps,
  { index, where, limit, after }: TokenQuery,
  now: number,
): Promise<Page<TokenRecord>> {
  const items: TokenRecord[] = []
  let position = after
  for (let read = 0; read < MAX_READ; read += PAGE) {
    const page = await tokens.find(index, { where, order: 'down', limit: PAGE, ...(position && { after: position }) })
    for (const record of page.items) {
      // Earlier ones have expired
      if (record.issuedAt + MAX_TOKEN_SECONDS <= now) return { items }
      if (items.length === limit) return { items, ...(position && { next: position }) }
      if (record.expiresAt > now && stands(trustLog.ended, record.dependsOn)) items.push(record)
      position = [record.issuedAt, record.id]
    }
    if (page.next === undefined) return { items }
  }
  return { items, ...(position && { next: position }) }
}
