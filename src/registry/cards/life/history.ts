import { refuse } from '../../../errors.js'
import { type Caller, maySee } from '../../../http/caller.js'
import { cursorOf, type PageInput, pageOf } from '../../../http/paging.js'
import type { CardVersion } from '../../../protocol/cards/card-versions.js'
import type { AgentId } from '../../../protocol/ids.js'
import { type GetCardDeps, requireAgentOfCard } from '../get.js'
import { currentVerdict, deprecationOf, textOf } from '../view.js'
import { type EarlierVersion, earlierVersionOf, versionId } from './earlier-version.js'

export interface CardHistory {
  readonly items: readonly CardVersion[]
  readonly cursor?: string
}

/**
 * Lists the versions of an agent's public card, newest first: the current one, and at most MAX_EARLIER_VERSIONS that it replaced. Of an
 * unpublished card only the agent, its organisation and operators read the history; that of a yanked one shows everyone why. Others see of a
 * version that was yanked or unpublished no content.
 */
export const cardHistory = (
  deps: GetCardDeps,
  caller: Caller | undefined,
  { agentId, ...paging }: PageInput & { readonly agentId: AgentId },
): Promise<CardHistory> =>
  deps.trustLog.afterBarrier(caller?.barrier, async ({ now }) => {
    const newest = await requireNewest(deps, caller, agentId)
    const { limit, after } = cursorOf(paging)
    const room = after === undefined ? limit - 1 : limit
    const from = after ?? ([newest.version, newest.id] as const)
    const page = room === 0 ? { items: [], next: from } : await deps.cards.earlierVersions.find('agent', earlierThan(agentId, from, room))
    const versions = [...(after === undefined ? [newest] : []), ...page.items]
    const views = await Promise.all(
      versions.map((version) => versionViewOf(deps, version, { newest: newest.version, mayRead: mayRead(caller, version), now })),
    )
    return pageOf({ ...page, items: views }, (view) => view)
  })

const earlierThan = (agentId: AgentId, after: readonly [string | number | boolean | null, string], limit: number) =>
  ({ where: { agentId }, order: 'down', after, limit }) as const

/** Returns the current version of a card, or an earlier one that was kept. One that was withdrawn is refused to others than its publisher. */
export async function requireVersion(
  deps: GetCardDeps,
  caller: Caller | undefined,
  agentId: AgentId,
  version: number | undefined,
): Promise<EarlierVersion> {
  const newest = await requireNewest(deps, caller, agentId)
  const found =
    version === undefined || version === newest.version ? newest : await deps.cards.earlierVersions.get(versionId(agentId, version))
  if (!found) return refuse('not_found', `the card has no version ${version}, or it is no longer kept (see cards.history)`)
  if (!mayRead(caller, found)) return refuse('not_found', `version ${found.version} of the card was withdrawn (see cards.history)`)
  return found
}

/** The newest version, in the form in which earlier ones are kept. */
async function requireNewest(deps: GetCardDeps, caller: Caller | undefined, agentId: AgentId): Promise<EarlierVersion> {
  const { card } = await requireAgentOfCard(deps, agentId)
  if (card.unpublished && !card.yanked && !isPublisher(caller, card)) return refuse('not_found', 'no such card')
  return earlierVersionOf(card, 0)
}

type Owned = Pick<EarlierVersion, 'agentId' | 'orgId'>
const isPublisher = (caller: Caller | undefined, { agentId, orgId }: Owned): boolean =>
  caller !== undefined && (caller.id === agentId || maySee(caller, orgId))

/** False for a version that its publisher has withdrawn from this caller. */
const mayRead = (caller: Caller | undefined, version: EarlierVersion): boolean =>
  (!version.yanked && !version.unpublished) || isPublisher(caller, version)

async function versionViewOf(
  deps: GetCardDeps,
  kept: EarlierVersion,
  { newest, mayRead, now }: { readonly newest: number; readonly mayRead: boolean; readonly now: number },
): Promise<CardVersion> {
  const { version, unpublished, publishedAt, replacedAt, publicCardSha256, deprecated, yanked } = kept
  const isNewest = version === newest
  const verdict = await currentVerdict(deps, kept, { tier: 'public', now })
  return {
    version,
    state: yanked ? 'yanked' : unpublished ? 'unpublished' : isNewest ? 'current' : 'superseded',
    publishedAt,
    ...(!isNewest && { replacedAt }),
    etag: `"${publicCardSha256}"`,
    verdict: mayRead ? verdict : { ...verdict, uncovered: [], hints: [] },
    ...(mayRead && { text: textOf(kept), ...(deprecated && { deprecated: deprecationOf(deprecated) }) }),
    ...(yanked && { yanked }),
  }
}
