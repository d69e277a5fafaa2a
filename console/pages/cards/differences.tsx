import type { JsonValue } from '../../../src/lib/json.js'
import type { CardChange, CardDiff } from '../../../src/protocol/cards/card-versions.js'
import type { AgentId } from '../../../src/protocol/ids.js'
import { useQuery } from '../../api/use-query.js'
import { Result } from '../../ui/notes.js'
import { Foreign } from '../../ui/text.js'

/** The groups of changes, the most important for a caller first. */
const GROUPS = {
  endpoint: 'Endpoint',
  security: 'Security',
  scopes: 'Scopes',
  skills: 'Skills',
  other: 'Capabilities and modes',
  prose: 'Descriptive texts',
} as const satisfies Partial<Record<keyof CardDiff, string>>
const MAX_VALUE = 2048

interface DifferencesProps {
  readonly agentId: AgentId
  readonly from: number
  readonly to: number | undefined
}

/** What changes for callers from one version of a card to another. Versions do not change, so they are compared once. */
export function Differences({ agentId, from, to }: DifferencesProps) {
  const diff = useQuery('cards.diff', { agentId, from, ...(to !== undefined && { to }) }, { isLive: false })
  return (
    <Result of={diff}>
      {(data) => (
        <section aria-label="What changes for callers">
          <h3>
            From version {data.from} to version {data.to}
          </h3>
          <TakenAway of={data} />
          {Object.entries(GROUPS).map(([group, title]) => (
            <Changes key={group} title={title} changes={data[group as keyof typeof GROUPS]} />
          ))}
        </section>
      )}
    </Result>
  )
}

const TakenAway = ({ of: { takesAway } }: { readonly of: CardDiff }) =>
  takesAway.length === 0 ? (
    <p class="note">It removes nothing that callers depend on: no introduction needs another approval.</p>
  ) : (
    <div class="note">
      <p>It removes parts that introductions may depend on. Introductions that depend on them need another approval:</p>
      <ul>
        {takesAway.map(({ pointer, hint }) => (
          <li key={`${pointer} ${hint}`}>
            <Foreign text={hint} max={1024} />
          </li>
        ))}
      </ul>
    </div>
  )

const Changes = ({ title, changes }: { readonly title: string; readonly changes: readonly CardChange[] }) =>
  changes.length === 0 ? null : (
    <>
      <h4>{title}</h4>
      <ul class="items">
        {changes.map(({ pointer, from, to }) => (
          <li key={pointer}>
            <Foreign text={pointer} max={1024} />
            <br />
            {from === undefined ? 'added: ' : 'was: '}
            <Value of={from ?? to} />
            {from !== undefined && (to === undefined ? ', and is gone' : ', is now: ')}
            {from !== undefined && to !== undefined && <Value of={to} />}
          </li>
        ))}
      </ul>
    </>
  )

const Value = ({ of }: { readonly of: JsonValue | undefined }) => (
  <Foreign text={typeof of === 'string' ? of : JSON.stringify(of)} max={MAX_VALUE} />
)
