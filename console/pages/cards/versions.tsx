import { useState } from 'preact/hooks'
import { useLocation } from 'preact-iso'
import type { CardVersion } from '../../../src/protocol/cards/card-versions.js'
import type { AgentId } from '../../../src/protocol/ids.js'
import type { List } from '../../api/use-query.js'
import { Choice } from '../../ui/forms/fields.js'
import { Empty, ErrorNote, Loading } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Foreign, Name, State, Time } from '../../ui/text.js'
import { Differences } from './differences.js'

interface VersionsProps {
  readonly agentId: AgentId
  readonly versions: List<CardVersion>
  /** Absent if the viewer may not yank. */
  readonly onYank?: (version: number) => void
}

/** The versions of a card, and what changes for its callers between two of them. The address names the two. */
export function Versions({ agentId, versions, onYank }: VersionsProps) {
  const { path, query, route } = useLocation()
  const { items, error, isLoading, hasMore, readMore } = versions
  const from = numberOf(query.from)
  const to = numberOf(query.to)
  return (
    <Section title="Versions">
      <ErrorNote error={error} />
      {items.length === 0 && isLoading && <Loading />}
      <ul class="items">
        {items.map((version) => (
          <li key={version.version}>
            <Version version={version} agentId={agentId} {...(onYank && { onYank })} />
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" class="quiet" onClick={readMore}>
          Show earlier versions
        </button>
      )}
      {items.length < 2 && items.length > 0 && <Empty>There is one version, so there is nothing to compare.</Empty>}
      {items.length > 1 && (
        <>
          <h3 id="compare">Compare two versions</h3>
          <CompareForm
            key={`${from} ${to}`}
            versions={items}
            from={from}
            to={to}
            onCompare={(a, b) => route(`${path}?from=${a}&to=${b}`, true)}
          />
          {from !== undefined && <Differences agentId={agentId} from={from} to={to} />}
        </>
      )}
    </Section>
  )
}

const numberOf = (text: string | undefined): number | undefined => (text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined)

function Version({
  version: of,
  agentId,
  onYank,
}: {
  readonly version: CardVersion
  readonly agentId: AgentId
  readonly onYank?: (version: number) => void
}) {
  const { version, state, publishedAt, replacedAt, verdict, deprecated, yanked, text } = of
  return (
    <>
      <strong>Version {version}</strong> <State state={state} /> <State state={verdict.state} /> published <Time at={publishedAt} />
      {replacedAt !== undefined && (
        <>
          , replaced <Time at={replacedAt} />
        </>
      )}
      {yanked && (
        <p>
          Yanked <Time at={yanked.at} />: <code>{yanked.reason}</code> {yanked.note !== undefined && <Foreign text={yanked.note} />}
        </p>
      )}
      {deprecated && (
        <p>
          Deprecated <Time at={deprecated.at} />
          {deprecated.successor && (
            <>
              ; call <Name id={deprecated.successor} /> instead
            </>
          )}
          {text?.deprecation !== undefined && (
            <>
              : <Foreign text={text.deprecation} />
            </>
          )}
        </p>
      )}
      <p>
        {version > 1 && <a href={`/console/cards/${agentId}?from=${version - 1}&to=${version}`}>What version {version} changed</a>}{' '}
        {onYank && !yanked && (
          <button type="button" class="quiet small" onClick={() => onYank(version)}>
            Yank version {version}
          </button>
        )}
      </p>
    </>
  )
}

interface CompareFormProps {
  readonly versions: readonly CardVersion[]
  readonly from: number | undefined
  readonly to: number | undefined
  readonly onCompare: (from: string, to: string) => void
}

function CompareForm({ versions, from, to, onCompare }: CompareFormProps) {
  const [newest, previous] = versions
  const [older, setOlder] = useState(String(from ?? previous?.version))
  const [newer, setNewer] = useState(String(to ?? newest?.version))
  const options = versions.map(({ version }) => [String(version), `Version ${version}`] as const)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        onCompare(older, newer)
      }}
    >
      <Choice label="From" name="from" options={options} value={older} onChange={setOlder} />
      <Choice label="To" name="to" options={options} value={newer} onChange={setNewer} />
      <button type="submit">Compare</button>
    </form>
  )
}
