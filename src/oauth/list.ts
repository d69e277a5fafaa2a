import type { AuditStore } from '../audit/store.js'
import { isConcerned } from '../delegation/consents/authority.js'
import type { ConsentsStore } from '../delegation/consents/store.js'
import { findIntroduction } from '../delegation/introductions/capability/find.js'
import { isAsk } from '../delegation/introductions/capability/store.js'
import type { IntroductionDeps } from '../delegation/introductions/introduction-deps.js'
import type { ResourcesStore } from '../delegation/resources/store.js'
import { refuse } from '../errors.js'
import { type Caller, maySee } from '../http/caller.js'
import type { PageInput } from '../http/paging.js'
import type { Client } from '../identity/clients/client.js'
import type { Clients } from '../identity/clients/clients.js'
import {
  type Audience,
  agentOfAudience,
  audienceOf,
  type ClientId,
  type ConsentId,
  type IntroductionId,
  isResourceId,
  type TaskId,
} from '../protocol/ids.js'
import { MAX_TOKEN_SECONDS } from '../protocol/rights.js'
import { stands } from '../protocol/standing.js'
import type { KeyRing } from '../signing-keys/key-ring.js'
import { sealedPaging } from '../signing-keys/sealed-paging.js'
import type { Cursor, Page, Query } from '../storage/storage.js'
import { isInvolved, isOwnTask, type LineageDeps, type LineageNode, nodeOf } from './lineage.js'
import type { TokenRecord } from './store.js'

export type ListTokensDeps = LineageDeps &
  Pick<IntroductionDeps, 'introductions' | 'capabilities' | 'findDecider' | 'findResource'> & {
    readonly resources: ResourcesStore
    readonly clients: Clients
    readonly keyRing: Pick<KeyRing, 'secret'>
    readonly consents: Pick<ConsentsStore, 'get'>
    readonly audit: { readonly store: Pick<AuditStore, 'rows'> }
  }

type TokenFilter =
  | { readonly client: ClientId }
  | { readonly task: TaskId }
  | { readonly introduction: IntroductionId }
  | { readonly consent: ConsentId }
  | { readonly audience: Audience }

const PAGE = 100
/** Maximum number of records that one call reads in search of tokens that match. If more remain, the page has a cursor. */
const MAX_READ = 2000

/**
 * Lists the tokens of a client, a task with its descendants, an introduction, a consent or an audience, newest first. `alive`: only those that have not
 * expired and stand. For the client or audience itself, the owner of the task, both agents of the introduction, members of their organisations, and
 * operators. Of a consent, those who may revoke it see the tokens at its audience that involve them.
 */
export async function listTokens(
  deps: ListTokensDeps,
  caller: Caller,
  filter: TokenFilter,
  { alive, ...paging }: PageInput & { readonly alive: boolean },
): Promise<{ readonly items: readonly LineageNode[]; readonly cursor?: string }> {
  return deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const read = (await readerOf(deps, caller, filter)) ?? refuse('not_found', 'no such client, task, introduction, consent or audience')
    const isListed = ({ expiresAt, dependsOn }: TokenRecord) => !alive || (expiresAt > now && stands(deps.trustLog.ended, dependsOn))
    // The last record that was read may be one that the caller may not see
    const { cursorAt, ...range } = await sealedPaging(deps.keyRing, ['tokens.list', caller.id, filter, alive], paging)
    // Tokens that were issued earlier have expired
    const page = await readPage(read, { ...range, isListed, issuedAfter: alive ? now - MAX_TOKEN_SECONDS : 0 })
    const findHistory = deps.audit.history(caller)
    const items = await Promise.all(page.items.map((record) => nodeOf(deps, now, record, findHistory)))
    return { items, ...(await cursorAt(page.next)) }
  })
}

/** The newest tokens of a client. */
export const newestTokensOf = async (
  deps: ListTokensDeps,
  client: Pick<Client, 'id' | 'orgId'>,
  { issuedAfter, limit }: { readonly issuedAfter: number; readonly limit: number },
): Promise<readonly TokenRecord[]> => (await readPage(fromAuditLog(deps, client), { limit, isListed: () => true, issuedAfter })).items

/** Reads records in descending order of time, each with its position. Without `next` there are no more. */
type Reader = (after: Cursor | undefined) => Promise<{
  readonly found: readonly { readonly position: Cursor; readonly record: TokenRecord | undefined }[]
  readonly next?: Cursor
}>

/** Undefined if the caller may not list these tokens. */
async function readerOf(deps: ListTokensDeps, caller: Caller, filter: TokenFilter): Promise<Reader | undefined> {
  if ('task' in filter) {
    const task = await deps.findTask(filter.task)
    return task && isOwnTask(caller, task) ? fromTokens(deps, 'tasks', { tasks: filter.task }) : undefined
  }
  if ('introduction' in filter) {
    const introduction = await findIntroduction(deps, caller, filter.introduction)
    // A request that an agent was asked because of a capability has the id of the introduction that another agent may have granted
    if (!introduction || isAsk(introduction)) return undefined
    const { id, to } = introduction
    const audience = isResourceId(to) ? (await deps.resources.get(to))?.uri : audienceOf(deps.issuer, to)
    return audience && fromTokens(deps, 'audience', { audience }, ({ introductionId }) => introductionId === id)
  }
  if ('consent' in filter) {
    const consent = await deps.consents.get(filter.consent)
    if (!consent || !isConcerned(caller, consent)) return undefined
    const { audience, handle } = consent
    return fromTokens(deps, 'audience', { audience }, (record) => record.dependsOn.includes(handle) && isInvolved(deps, caller, record))
  }
  const id = 'client' in filter ? filter.client : agentOfAudience(deps.issuer, filter.audience)
  if ('audience' in filter && id === undefined) {
    const resource = (await deps.findResource(filter.audience))?.resource
    const isOwn = resource && (resource.operatorAgentId === caller.id || maySee(caller, resource.orgId))
    return isOwn
      ? fromTokens(deps, 'audience', { audience: resource.uri }, ({ dependsOn }) => dependsOn.includes(resource.handle))
      : undefined
  }
  const client = id && (await deps.clients.find(id))
  if (!client || !(client.id === caller.id || maySee(caller, client.orgId))) return undefined
  return 'client' in filter ? fromAuditLog(deps, client) : fromTokens(deps, 'audience', { audience: filter.audience })
}

const fromTokens =
  ({ tokens }: ListTokensDeps, index: string, where: Query<TokenRecord>['where'], matches = (_: TokenRecord) => true): Reader =>
  async (after) => {
    const { items, next } = await tokens.find(index, { where, order: 'down', limit: PAGE, ...(after && { after }) })
    const found = items.map((record) => ({
      position: [record.issuedAt, record.id] as const,
      record: matches(record) ? record : undefined,
    }))
    return { found, ...(next && { next }) }
  }

/** The audit rows of the client name its tokens. */
const fromAuditLog =
  ({ tokens, audit }: ListTokensDeps, { id, orgId }: Pick<Client, 'id' | 'orgId'>): Reader =>
  async (after) => {
    const where = { orgIds: orgId, actor: id }
    const { items, next } = await audit.store.rows.find('actor', { where, order: 'down', limit: PAGE, ...(after && { after }) })
    const found = await Promise.all(
      items.map(async (row) => ({
        position: [row.createdAt, row.id] as const,
        record: row.action === 'oauth.token' && row.tokenId ? await tokens.get(row.tokenId) : undefined,
      })),
    )
    return { found, ...(next && { next }) }
  }

async function readPage(
  read: Reader,
  {
    limit,
    after,
    isListed,
    issuedAfter,
  }: {
    readonly limit: number
    readonly after?: Cursor
    readonly isListed: (record: TokenRecord) => boolean
    readonly issuedAfter: number
  },
): Promise<Page<TokenRecord>> {
  const items: TokenRecord[] = []
  let last = after
  for (let count = 0; count < MAX_READ; count += PAGE) {
    const { found, next } = await read(last)
    for (const { position, record } of found) {
      if (record && record.issuedAt <= issuedAfter) return { items }
      if (items.length === limit) return { items, ...(last && { next: last }) }
      if (record && isListed(record)) items.push(record)
      last = position
    }
    if (next === undefined) return { items }
  }
  return { items, ...(last && { next: last }) }
}
