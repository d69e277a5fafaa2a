import type { Edge } from './edges.js'

/** More are left out: nobody reads a larger graph. */
export const MAX_NODES = 200
const COLUMN_PX = 300
const ROW_PX = 44
const NODE_PX = { width: 200, height: 34 }

interface GraphNode {
  readonly key: string
  readonly id: string
  readonly x: number
  readonly y: number
}

interface GraphLine {
  readonly key: string
  readonly kind: 'introduction' | 'consent' | 'delegation'
  readonly isLive: boolean
  readonly path: string
}

interface Layout {
  readonly nodes: readonly GraphNode[]
  readonly lines: readonly GraphLine[]
  readonly width: number
  readonly height: number
  /** Nodes that were left out. */
  readonly leftOut: number
  readonly node: typeof NODE_PX
}

interface Link {
  readonly kind: GraphLine['kind']
  readonly isLive: boolean
  readonly from: Placed
  readonly to: Placed
}

/** A party in a column. One that calls and is called is in two of them. */
interface Placed {
  readonly column: number
  readonly id: string
}

const CAPABILITY = 'any agent with a capability'

/**
 * Places the parties in columns: who calls, the focus, who is called, and to whom these may delegate. Without a focus there is no column in the middle. The same
 * edges always give the same picture. Cost: linear in the edges, and the sorting of the nodes.
 */
export function layoutOf(edges: readonly Edge[], focus: string | undefined): Layout {
  const links = edges.flatMap((edge) => linksOf(edge, focus))
  const placed = distinct(links.flatMap(({ from, to }) => [from, to]))
  const ordered = [...placed].sort(
    (a, b) => Number(b.id === focus) - Number(a.id === focus) || a.column - b.column || (a.id < b.id ? -1 : 1),
  )
  const shown = ordered.slice(0, MAX_NODES)
  const columns = [...new Set(shown.map(({ column }) => column))].sort((a, b) => a - b)
  const inColumn = columns.map((column) => shown.filter((node) => node.column === column))
  const rows = Math.max(0, ...inColumn.map(({ length }) => length))
  const nodes = inColumn.flatMap((column, x) =>
    // A shorter column is in the middle
    column.map((node, row) => ({
      key: keyOf(node),
      id: node.id,
      x: x * COLUMN_PX,
      y: (row + (rows - column.length) / 2) * ROW_PX,
    })),
  )
  const byKey = new Map(nodes.map((node) => [node.key, node]))
  const lines = links.flatMap(({ kind, isLive, from, to }): GraphLine[] => {
    const [start, end] = [byKey.get(keyOf(from)), byKey.get(keyOf(to))]
    return start && end ? [{ key: `${kind} ${start.key} ${end.key} ${isLive}`, kind, isLive, path: pathOf(start, end) }] : []
  })
  return {
    nodes,
    lines: [...new Map(lines.map((line) => [line.key, line])).values()],
    width: Math.max(0, columns.length - 1) * COLUMN_PX + NODE_PX.width,
    height: rows * ROW_PX,
    leftOut: placed.length - shown.length,
    node: NODE_PX,
  }
}

function linksOf({ kind, isLive, from, to, bounds: { delegation } }: Edge, focus: string | undefined): readonly Link[] {
  const start = { column: from === focus ? 1 : 0, id: from }
  const target = to ?? CAPABILITY
  const end = { column: focus === undefined ? 1 : target === focus ? 1 : 2, id: target }
  const audiences = [...new Set((delegation?.rights ?? []).map(({ audience }) => audience))]
  return [
    { kind, isLive, from: start, to: end },
    ...audiences.map((id) => ({ kind: 'delegation' as const, isLive, from: end, to: { column: 3, id } })),
  ]
}

const keyOf = ({ column, id }: Placed): string => `${column} ${id}`
const distinct = (nodes: readonly Placed[]): readonly Placed[] => [...new Map(nodes.map((node) => [keyOf(node), node])).values()]

function pathOf(start: GraphNode, end: GraphNode): string {
  const [x1, y1] = [start.x + NODE_PX.width, start.y + NODE_PX.height / 2]
  const [x2, y2] = [end.x - 8, end.y + NODE_PX.height / 2]
  const middle = (x1 + x2) / 2
  return `M ${x1} ${y1} C ${middle} ${y1}, ${middle} ${y2}, ${x2} ${y2}`
}
