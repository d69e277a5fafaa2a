import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { useDone } from '../../ui/done.js'
import { BoundsText } from '../../ui/forms/bounds.js'
import { Choice } from '../../ui/forms/fields.js'
import { Empty } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Name, State, Time } from '../../ui/text.js'
import { useInboxSignal } from '../inbox/use-inbox-signal.js'
import { EdgeAction, type EdgeVerb, verbsOf } from './edge-action.js'
import type { Edge } from './edges.js'
import { Graph, NodeLink } from './graph.js'
import { type EdgeFilter, useEdges } from './use-edges.js'

const STATES = [
  ['granted', 'Can call now'],
  ['pending', 'Requested'],
  ['all', 'All, including ended'],
] as const
const DIRECTIONS = [
  ['all', 'Both directions'],
  ['in', 'Who can call'],
  ['out', 'Who can be called'],
] as const
const SHOWN = [
  ['both', 'Graph and list'],
  ['list', 'List only'],
] as const

const chosen = <T extends string>(options: readonly (readonly [T, string])[], value: string | undefined, otherwise: T): T =>
  options.find(([option]) => option === value)?.[0] ?? otherwise

/** Who can call whom: for the organisation, or for one agent, person or resource. */
export function Reach({ id }: { readonly id?: string }) {
  const location = useLocation()
  // Another party begins with another state
  return <ReachOf key={id} id={id} {...location} />
}

interface ReachOfProps extends Pick<ReturnType<typeof useLocation>, 'path' | 'query' | 'route'> {
  readonly id: string | undefined
}

function ReachOf({ id, path, query, route }: ReachOfProps) {
  const { viewer } = useConsole()
  useInboxSignal()
  const filter: EdgeFilter = { id, state: chosen(STATES, query.state, 'granted'), direction: chosen(DIRECTIONS, query.direction, 'all') }
  const shown = chosen(SHOWN, query.show, 'both')
  const list = useEdges(filter)
  const [action, setAction] = useState<{ readonly edge: Edge; readonly verb: EdgeVerb } | undefined>(undefined)
  const [done, say] = useDone()
  const change = (name: string) => (value: string) => route(`${path}?${new URLSearchParams({ ...query, [name]: value })}`, true)
  const focus = id ?? (viewer.role === 'person' ? viewer.id : undefined)
  const revoke = (edge: Edge) => verbsOf(edge).includes('revoke') && setAction({ edge, verb: 'revoke' })
  return (
    <Page
      title="Who can call whom"
      actions={
        id !== undefined && (
          <a class="button" href="/console/reach">
            The whole organisation
          </a>
        )
      }
    >
      {id !== undefined && (
        <p>
          For <Name id={id} withId />
        </p>
      )}
      <div class="columns">
        <div>
          <Choice label="State" name="state" options={STATES} value={filter.state} onChange={change('state')} />
        </div>
        <div>
          <Choice label="Direction" name="direction" options={DIRECTIONS} value={filter.direction} onChange={change('direction')} />
        </div>
        <div>
          <Choice label="Show" name="show" options={SHOWN} value={shown} onChange={change('show')} />
        </div>
      </div>
      {done}
      {shown === 'both' && <Graph edges={list.items} focus={focus} hasMore={list.hasMore} />}
      <p class="hint">
        Keys: <kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>Enter</kbd> open, <kbd>r</kbd> revoke.
      </p>
      <Rows
        label="Who can call whom"
        list={list}
        idOf={(edge) => edge.id}
        hrefOf={hrefOf}
        keys={{ r: revoke }}
        row={(edge) => <EdgeRow edge={edge} onAct={(verb) => setAction({ edge, verb })} />}
        empty={<NoEdges filter={filter} />}
      />
      {action && <EdgeAction {...action} onDone={say} onClose={() => setAction(undefined)} />}
    </Page>
  )
}

const hrefOf = ({ kind, id }: Edge): string => (kind === 'consent' ? `/console/consents/${id}` : `/console/introductions/${id}`)

function EdgeRow({ edge, onAct }: { readonly edge: Edge; readonly onAct: (verb: EdgeVerb) => void }) {
  const { kind, from, to, state, direction, bounds, uses, lastUsedAt, expiresAt } = edge
  return (
    <>
      <a href={hrefOf(edge)}>{kind === 'consent' ? 'Consent' : 'Introduction'}</a>
      <span>
        <NodeLink id={from} withId /> → {to === undefined ? 'any agent with the capability' : <NodeLink id={to} withId />}
        {edge.kind === 'consent' && (
          <>
            {' '}
            at <Name id={edge.row.audience} withId />
          </>
        )}
      </span>
      <State state={state} />
      <span class="hint">{direction}</span>
      <span class="hint">
        {uses} {uses === 1 ? 'use' : 'uses'}, last <Time at={lastUsedAt} />, until <Time at={expiresAt} />
      </span>
      <span class="edge-actions">
        {state === 'pending' && direction !== 'out' && to !== undefined && (
          <a class="button" href={`/console/inbox?item=${edge.id}`} aria-label={`Decide about ${edge.id}`}>
            Decide
          </a>
        )}
        {verbsOf(edge).map((verb) => (
          <button
            key={verb}
            type="button"
            class={verb === 'revoke' ? 'danger' : 'quiet'}
            aria-label={`${LABELS[verb]} ${edge.id}`}
            onClick={() => onAct(verb)}
          >
            {LABELS[verb]}
          </button>
        ))}
      </span>
      <BoundsText bounds={bounds} />
    </>
  )
}

const LABELS: Readonly<Record<EdgeVerb, string>> = { revoke: 'Revoke', narrow: 'Narrow' }

const NoEdges = ({ filter: { state, id } }: { readonly filter: EdgeFilter }) => (
  <Empty>
    {state === 'granted' ? (
      <>
        <p>
          {id === undefined ? 'No agent here can be called, and none can call another.' : 'No party can call it, and it cannot call any.'}
        </p>
        <p>Find an agent and request an introduction, or use the command line:</p>
        <Command text="credence introduction request AGENT --scope SCOPE --purpose TEXT" />
      </>
    ) : (
      <p>There is nothing in this state. Choose another above.</p>
    )}
  </Empty>
)
