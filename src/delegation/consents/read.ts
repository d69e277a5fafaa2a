import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import { cursorOf, formatCursor, type PageInput } from '../../http/paging.js'
import { AgentId, type ConsentId, MemberId, type OrgId } from '../../protocol/ids.js'
import { type ConsentDeps, isConcerned, requireConsent, seesPerson } from './authority.js'
import type { ConsentClientId } from './store.js'
import { type ConsentView, viewOf } from './view.js'

/** Returns a consent to the person and administrators of both sides. */
export const getConsent = (deps: ConsentDeps, caller: Caller, id: ConsentId): Promise<ConsentView> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) =>
    viewOf(deps, caller, await requireConsent(deps, caller, id), now, deps.audit.history(caller)),
  )

interface ListDeps extends ConsentDeps {
  readonly findClient: (id: AgentId) => Promise<{ readonly orgId: OrgId } | undefined>
}

interface ConsentQuery extends PageInput {
  readonly memberId?: MemberId | undefined
  readonly client?: ConsentClientId | undefined
  readonly audience?: string | undefined
}

/**
 * Lists consents, newest first: those of one person, by default of the caller, or, for an administrator of its organisation, those to one client.
 * A page may have fewer items than its limit although there are more.
 */
export const listConsents = (
  deps: ListDeps,
  caller: Caller,
  { memberId, client, audience, ...paging }: ConsentQuery,
): Promise<{ readonly items: readonly ConsentView[]; readonly cursor?: string }> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) => {
    const agent = AgentId.safeParse(client)
    const clientOrg = agent.success ? (await deps.findClient(agent.data))?.orgId : undefined
    const isOfClient = memberId === undefined && client !== undefined && clientOrg !== undefined && mayOversee(caller, clientOrg)
    const query = { order: 'down', ...cursorOf(paging) } as const
    const page = isOfClient
      ? await deps.consents.find('client', { where: { clientId: client }, ...query })
      : await deps.consents.find('member', { where: { memberId: requirePerson(caller, memberId) }, ...query })
    const visible = page.items.filter(
      (consent) =>
        (isOfClient ? isConcerned(caller, consent) : seesPerson(caller, consent)) &&
        (client === undefined || consent.clientId === client) &&
        (audience === undefined || consent.audience === audience),
    )
    const findHistory = deps.audit.history(caller)
    const items = await Promise.all(visible.map((consent) => viewOf(deps, caller, consent, now, findHistory)))
    // Without a cursor, a caller that may not see the person does not learn whether there are more
    const mayGoOn = isOfClient || page.items.every((consent) => seesPerson(caller, consent))
    return { items, ...(page.next && mayGoOn && { cursor: formatCursor(page.next) }) }
  })

/** Each consent of another person is filtered by itself, so an unknown person and a person of another organisation give the same response. */
function requirePerson(caller: Caller, memberId: MemberId | undefined): MemberId {
  const own = MemberId.safeParse(caller.id)
  return memberId ?? (own.success ? own.data : refuse('forbidden', 'only people have consents: name a person'))
}
