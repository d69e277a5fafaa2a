import type { Output } from '../../api/procedures.js'

export type TokenNode = Output<'tokens.lineage'>['nodes'][number]

export const stateOfToken = ({ revoked, expiresAt }: Pick<TokenNode, 'revoked' | 'expiresAt'>, now: number) =>
  revoked ? 'revoked' : expiresAt <= now ? 'expired' : 'active'

export const activeOf = (nodes: readonly TokenNode[], now: number): readonly TokenNode[] =>
  nodes.filter((node) => stateOfToken(node, now) === 'active')

/** False for a root token, which belongs to no task and does not end with one. */
export const isOfTask = ({ taskId }: TokenNode): boolean => taskId !== undefined

/** A visible row of the tree. */
export interface TreeRow {
  readonly node: TokenNode
  /** 1 for a token whose parents are not shown. */
  readonly level: number
  readonly position: number
  readonly siblings: number
  readonly parentId?: string | undefined
  readonly hasChildren: boolean
}

/** A token stands under the token that it was exchanged from. Its other parent, the token of the actor, is named in its details. */
const parentOf = ({ parents }: TokenNode, known: ReadonlySet<string>): string | undefined => parents.find((id) => known.has(id))

/** The rows of the tree in the order of the screen, without those under a collapsed row. */
export function rowsOf(nodes: readonly TokenNode[], collapsed: ReadonlySet<string>): readonly TreeRow[] {
  const known = new Set<string>(nodes.map(({ tokenId }) => tokenId))
  const children = new Map<string | undefined, TokenNode[]>()
  for (const node of nodes) {
    const parentId = parentOf(node, known)
    children.set(parentId, [...(children.get(parentId) ?? []), node])
  }
  const rows: TreeRow[] = []
  const add = (parentId: string | undefined, level: number): void => {
    const group = children.get(parentId) ?? []
    for (const [i, node] of group.entries()) {
      const hasChildren = children.has(node.tokenId)
      rows.push({ node, level, position: i + 1, siblings: group.length, parentId, hasChildren })
      if (hasChildren && !collapsed.has(node.tokenId)) add(node.tokenId, level + 1)
    }
  }
  add(undefined, 1)
  return rows
}

/** The token and all that came from it, by either parent. */
export function withDescendants(nodes: readonly TokenNode[], tokenId: string): readonly TokenNode[] {
  const found = new Set<string>([tokenId])
  // Parents come before their children
  for (const node of nodes) if (node.parents.some((id) => found.has(id))) found.add(node.tokenId)
  return nodes.filter((node) => found.has(node.tokenId))
}
