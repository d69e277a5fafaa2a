import { useConsole } from '../../api/console.js'
import { agentOf, Name } from '../../ui/names/name.js'
import type { Edge } from './edges.js'
import { layoutOf, MAX_NODES } from './layout.js'

/** The edges as a picture. Its text alternative is the list. */
export function Graph({
  edges,
  focus,
  hasMore,
}: {
  readonly edges: readonly Edge[]
  readonly focus: string | undefined
  readonly hasMore: boolean
}) {
  const { nodes, lines, width, height, leftOut, node } = layoutOf(edges, focus)
  if (nodes.length === 0) return null
  return (
    <figure class="graph">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard */}
      <section tabIndex={0} aria-label="Graph">
        <div class="graph-area" style={{ width: `${width}px`, height: `${height}px` }}>
          <svg width={width} height={height} aria-hidden="true" focusable="false">
            <defs>
              <marker id="arrow" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="7" markerHeight="7" orient="auto">
                <path d="M 0 0 L 8 4 L 0 8 z" />
              </marker>
            </defs>
            {lines.map(({ key, kind, isLive, path }) => (
              <path key={key} class={`line ${kind} ${isLive ? '' : 'waiting'}`} d={path} marker-end="url(#arrow)" />
            ))}
          </svg>
          <ul>
            {nodes.map(({ key, id, x, y }) => (
              <li
                key={key}
                title={id}
                class={id === focus ? 'focus' : undefined}
                style={{ left: `${x}px`, top: `${y}px`, width: `${node.width}px`, height: `${node.height}px` }}
              >
                <NodeLink id={id} />
              </li>
            ))}
          </ul>
        </div>
      </section>
      <figcaption class="hint">
        Solid lines: introductions. Dotted: consents. Dashed: where an introduction or a consent allows delegation. The list below says the
        same in words.
        {leftOut > 0 && ` The graph shows ${MAX_NODES} parties and leaves out ${leftOut}: choose one of them, or a direction.`}
        {hasMore && ' It shows what the list has read so far.'}
      </figcaption>
    </figure>
  )
}

/** A party, with a link to who can call whom from there. */
export function NodeLink({ id, withId = false }: { readonly id: string; readonly withId?: boolean }) {
  const { viewer } = useConsole()
  const agentId = agentOf(id, viewer.issuer)
  const name = <Name id={id} link={false} withId={withId} />
  if (agentId !== undefined) return <a href={`/console/reach/${agentId}`}>{name}</a>
  if (/^(mem|res)_/.test(id)) return <a href={`/console/reach/${id}`}>{name}</a>
  return <span>{name}</span>
}
