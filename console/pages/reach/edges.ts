import type { Bounds } from '../../../src/protocol/rights.js'
import type { Item } from '../../api/procedures.js'
import type { List } from '../../api/use-query.js'

export type IntroductionRow = Item<'introductions.list'>
export type ConsentRow = Item<'consents.list'>
type Direction = 'in' | 'out' | 'inside'

/** One party that may call another: by an introduction, or for a person by a consent. */
export type Edge = EdgeFields &
  ({ readonly kind: 'introduction'; readonly row: IntroductionRow } | { readonly kind: 'consent'; readonly row: ConsentRow })

interface EdgeFields {
  readonly id: string
  readonly direction: Direction
  /** An agent; of a consent the person. */
  readonly from: string
  /** An agent, a resource or a client. Undefined while any agent with a capability is asked. */
  readonly to: string | undefined
  readonly state: string
  /** True if the party may call now. */
  readonly isLive: boolean
  readonly bounds: Bounds
  readonly at: number
  readonly expiresAt: number
  readonly uses: number
  readonly lastUsedAt: number | undefined
}

export const edgeOfIntroduction = (row: IntroductionRow, direction: Direction): Edge => ({
  kind: 'introduction',
  row,
  id: row.introductionId,
  direction,
  from: row.from,
  to: row.to,
  state: row.state,
  isLive: row.state === 'granted',
  bounds: row.bounds ?? row.requested,
  at: row.grantedAt ?? row.requestedAt,
  expiresAt: row.expiresAt,
  uses: row.uses ?? 0,
  lastUsedAt: row.lastUsedAt,
})

export const edgeOfConsent = (row: ConsentRow, direction: Direction): Edge => ({
  kind: 'consent',
  row,
  id: row.consentId,
  direction,
  from: row.memberId ?? row.personId,
  to: row.client,
  state: row.state,
  isLive: row.state === 'valid',
  bounds: {
    scopes: row.rights.map(({ scope }) => scope),
    ...(row.tools && { tools: row.tools }),
    ...(row.resources && { resources: row.resources }),
    ...(row.delegation && { delegation: row.delegation }),
  },
  at: row.grantedAt,
  expiresAt: row.until,
  uses: row.uses,
  lastUsedAt: row.lastUsedAt,
})

/** Several lists as one, newest first. What is in both directions is inside the organisation. */
export function joinedList(lists: readonly List<Edge>[], isShown: (edge: Edge) => boolean): List<Edge> {
  const byId = new Map<string, Edge>()
  for (const edge of lists.flatMap(({ items }) => items)) byId.set(edge.id, byId.has(edge.id) ? { ...edge, direction: 'inside' } : edge)
  const items = [...byId.values()].filter(isShown).sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1))
  const error = lists.find((list) => list.error !== undefined)?.error
  return {
    items,
    ...(error !== undefined && { error }),
    isLoading: lists.some(({ isLoading }) => isLoading),
    hasMore: lists.some(({ hasMore }) => hasMore),
    readMore: () => {
      for (const list of lists) if (list.hasMore) list.readMore()
    },
  }
}

export const mappedList = <T>(list: List<T>, edgeOf: (item: T) => Edge): List<Edge> => ({ ...list, items: list.items.map(edgeOf) })
