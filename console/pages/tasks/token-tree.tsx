import { useRef, useState } from 'preact/hooks'
import { Foreign, Name, State, Time } from '../../ui/text.js'
import { rowsOf, stateOfToken, type TokenNode, type TreeRow } from './lineage.js'

interface TokenTreeProps {
  readonly nodes: readonly TokenNode[]
  readonly now: number
  readonly selected: string | undefined
  readonly onSelect: (tokenId: string) => void
}

/** Deeper rows are not indented further, so that they fit a small screen. */
const MAX_INDENT = 8

/** Which token came from which. Arrow keys (and `j`, `k`) move, right and left open and close, Enter shows the details. */
export function TokenTree({ nodes, now, selected, onSelect }: TokenTreeProps) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set())
  const [current, setCurrent] = useState(selected)
  const tree = useRef<HTMLUListElement>(null)
  const rows = rowsOf(nodes, collapsed)
  const at = Math.max(
    0,
    rows.findIndex(({ node }) => node.tokenId === current),
  )
  const focus = (id: string | undefined) => {
    if (id === undefined) return
    setCurrent(id)
    tree.current?.querySelector<HTMLElement>(`[data-token="${id}"]`)?.focus()
  }
  const fold = ({ node }: TreeRow, isFolded: boolean) => {
    const others = [...collapsed].filter((id) => id !== node.tokenId)
    setCollapsed(new Set(isFolded ? [...others, node.tokenId] : others))
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[at]
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    const act = actionOf(event.key, { rows, row, at, isFolded: collapsed.has(row.node.tokenId), focus, fold, onSelect })
    if (!act) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a tree of ARIA
    <ul role="tree" aria-label="Tokens" class="tree" ref={tree} onKeyDown={onKeyDown}>
      {rows.map((row, i) => {
        const { tokenId } = row.node
        return (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the tree handles the keys
          <li
            key={tokenId}
            role="treeitem"
            data-token={tokenId}
            aria-level={row.level}
            aria-posinset={row.position}
            aria-setsize={row.siblings}
            aria-expanded={row.hasChildren ? !collapsed.has(tokenId) : undefined}
            aria-selected={tokenId === selected}
            tabIndex={i === at ? 0 : -1}
            class={stateOfToken(row.node, now)}
            style={{ paddingInlineStart: `${Math.min(row.level, MAX_INDENT)}rem` }}
            onClick={() => {
              focus(tokenId)
              onSelect(tokenId)
            }}
            onFocus={() => setCurrent(tokenId)}
          >
            <TokenRow row={row} now={now} isFolded={collapsed.has(tokenId)} onFold={(isFolded) => fold(row, isFolded)} />
          </li>
        )
      })}
    </ul>
  )
}

function TokenRow({
  row: { node, hasChildren },
  now,
  isFolded,
  onFold,
}: {
  readonly row: TreeRow
  readonly now: number
  readonly isFolded: boolean
  readonly onFold: (isFolded: boolean) => void
}) {
  return (
    <>
      <span
        class="fold"
        aria-hidden="true"
        onClick={(event) => {
          event.stopPropagation()
          if (hasChildren) onFold(!isFolded)
        }}
      >
        {hasChildren ? (isFolded ? '▸' : '▾') : '·'}
      </span>
      <span>
        <Name id={node.clientId} link={false} />
        {node.sub !== node.clientId && (
          <>
            {' '}
            for <Name id={node.sub} link={false} />
          </>
        )}{' '}
        at <Name id={node.audience} link={false} />
      </span>
      <Foreign text={node.scope} />
      <State state={stateOfToken(node, now)} />
      <span class="hint">
        {node.revoked ? 'ended ' : 'expires '}
        <Time at={node.revoked ? (node.endedAt ?? node.expiresAt) : node.expiresAt} />
      </span>
    </>
  )
}

interface KeyContext {
  readonly rows: readonly TreeRow[]
  readonly row: TreeRow
  readonly at: number
  readonly isFolded: boolean
  readonly focus: (id: string | undefined) => void
  readonly fold: (row: TreeRow, isFolded: boolean) => void
  readonly onSelect: (tokenId: string) => void
}

/** What a key does in a tree (ARIA Authoring Practices, tree view). */
function actionOf(key: string, { rows, row, at, isFolded, focus, fold, onSelect }: KeyContext): (() => void) | undefined {
  const idAt = (index: number) => rows[index]?.node.tokenId
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return () => focus(idAt(at + 1))
    case 'ArrowUp':
    case 'k':
      return () => focus(idAt(at - 1))
    case 'Home':
      return () => focus(idAt(0))
    case 'End':
      return () => focus(idAt(rows.length - 1))
    case 'ArrowRight':
      return row.hasChildren ? () => (isFolded ? fold(row, false) : focus(idAt(at + 1))) : undefined
    case 'ArrowLeft':
      return row.hasChildren && !isFolded ? () => fold(row, true) : () => focus(row.parentId)
    case 'Enter':
    case ' ':
      return () => onSelect(row.node.tokenId)
    default:
      return undefined
  }
}
