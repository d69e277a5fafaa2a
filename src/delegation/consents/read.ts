import { refuse } from '../../errors.js'
import { type Caller, mayOversee } from '../../http/caller.js'
import { cursorOf, formatCursor, type PageInput } from '../../http/paging.js'
import { AgentId, type ConsentId, MemberId, type OrgId } from '../../protocol/ids.js'
import { describeAudience, describeClient, type PartiesDeps } from '../pages/parties.js'
import { type ConsentDeps, isConcerned, requireConsent, seesPerson } from './authority.js'
import type { ConsentClientId } from './store.js'
import { type ConsentView, viewOf } from './view.js'

type GetDeps = ConsentDeps & PartiesDeps
type ListDeps = GetDeps & { readonly findClient: (id: AgentId) => Promise<{ readonly orgId: OrgId } | undefined> }

/** The texts of the consent page: the client and the audience under the names that they give themselves, and what the audience says about its scopes. */
interface ConsentWords {
  readonly clientName: string
  readonly audienceName: string
  /** Scopes without words are absent. */
  readonly words: Readonly<Record<string, string>>
}

/** A consent with the texts that the person has read. Only the person's side sees them. */
export type DescribedConsent = ConsentView & Partial<ConsentWords>

/** Returns a consent to the person and administrators of both sides. */
export const getConsent = (deps: GetDeps, caller: Caller, id: ConsentId): Promise<DescribedConsent> =>
  deps.trustLog.afterBarrier(caller.barrier, async ({ now }) =>
    described(deps, await viewOf(deps, caller, await requireConsent(deps, caller, id), now, deps.audit.history(caller))),
  )

async function described(deps: PartiesDeps, view: ConsentView): Promise<DescribedConsent> {
  if (view.memberId === undefined) return view
  const [client, audience] = await Promise.all([describeClient(deps, view.client), describeAudience(deps, view.audience)])
  const words = view.rights.flatMap(({ scope }) => {
    const text = audience.wordsOf(scope)
    return text === undefined ? [] : [[scope, text] as const]
  })
  return { ...view, clientName: client.name, audienceName: audience.name, words: Object.fromEntries(words) }
}

interface ConsentQuery extends PageInput {
  readonly memberId?: MemberId | undefined
  readonly client?: ConsentClientId | undefined
  readonly audience?: string | undefined
  /** Epoch seconds. */
  readonly usedSince?: number | undefined
}

/**
 * Lists consents, newest first: those of one person, by default of the caller, or, for an administrator of its organisation, those to one client.
 * A page may have fewer items than its limit although there are more.
 */
export const listConsents = (
  deps: ListDeps,
  caller: Caller,
  { memberId, client, audience, usedSince, ...paging }: ConsentQuery,
): Promise<{ readonly items: readonly DescribedConsent[]; readonly cursor?: string }> =>
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
    const views = await Promise.all(visible.map((consent) => viewOf(deps, caller, consent, now, findHistory)))
    const used = views.filter(({ lastUsedAt }) => usedSince === undefined || (lastUsedAt ?? 0) >= usedSince)
    const items = await Promise.all(used.map((view) => described(deps, view)))
    // Without a cursor, a caller that may not see the person does not learn whether there are more
    const mayGoOn = isOfClient || page.items.every((consent) => seesPerson(caller, consent))
    return { items, ...(page.next && mayGoOn && { cursor: formatCursor(page.next) }) }
  })

/** Each consent of another person is filtered by itself, so an unknown person and a person of another organisation give the same response. */
function requirePerson(caller: Caller, memberId: MemberId | undefined): MemberId {
  const own = MemberId.safeParse(caller.id)
  return memberId ?? (own.success ? own.data : refuse('forbidden', 'only people have consents: name a person'))
}
