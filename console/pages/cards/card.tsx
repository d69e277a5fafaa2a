import { useEffect, useState } from 'preact/hooks'
import { CredenceError } from '../../../src/errors.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import { AgentId } from '../../../src/protocol/ids.js'
import { useConsole } from '../../api/console.js'
import { useList, useQuery } from '../../api/use-query.js'
import { Empty, ErrorNote, Loading } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Command, Foreign, Name, State, Time } from '../../ui/text.js'
import { Deprecation } from './deprecate.js'
import { Freshness } from './freshness.js'
import { Lint } from './lint.js'
import { Signatures } from './signatures.js'
import { Tiers } from './tiers.js'
import { Versions } from './versions.js'
import { WithdrawDialog, type Withdrawing, type Withdrawn, WithdrawnNote } from './withdraw.js'

/** The card of an agent. */
export function CardPage({ agentId: id }: { readonly agentId: string }) {
  const parsed = AgentId.safeParse(id)
  return parsed.success ? <Card key={id} agentId={parsed.data} /> : <Page title="Card">{`"${id}" is not an agent id.`}</Page>
}

function Card({ agentId }: { readonly agentId: AgentId }) {
  const { viewer, cache } = useConsole()
  const card = useQuery('cards.get', { agentId, as: 'authenticated' }, { isLive: false })
  const versions = useList('cards.history', { agentId }, ({ version }) => String(version))
  const [withdrawing, setWithdrawing] = useState<Withdrawing | undefined>(undefined)
  const [withdrawn, setWithdrawn] = useState<Withdrawn | undefined>(undefined)
  const [newest] = versions.items
  const edition = newest && `${newest.state} ${newest.etag} ${newest.deprecated?.at}`
  // Each view of a card writes an audit row, so only a change in its history has it read again
  useChangeOf(edition, () => cache.invalidate(['cards.get']))
  const isGone = card.error instanceof CredenceError && ['not_found', 'gone'].includes(card.error.reason)
  const view = isGone ? undefined : card.data
  const orgId = view?.orgId ?? card.data?.orgId
  const isOwn = orgId === viewer.orgId && viewer.role !== 'person'
  const mayWithdraw = isOwn || viewer.role === 'operator'
  const audience = card.data?.audience
  return (
    <Page
      title="Card"
      actions={
        <Actions
          agentId={agentId}
          isOwn={isOwn}
          mayWithdraw={mayWithdraw && view !== undefined}
          onUnpublish={() => setWithdrawing({ isCurrent: true })}
        />
      }
    >
      {withdrawn && audience && <WithdrawnNote audience={audience} of={withdrawn} />}
      {isGone ? <NoCard agentId={agentId} error={card.error} /> : <ErrorNote error={card.error} />}
      {card.data === undefined && card.isLoading && <Loading />}
      {view && (
        <>
          <Summary view={view} />
          <Tiers agentId={agentId} isOwn={isOwn} />
          <Signatures view={view} />
          <Freshness agentId={agentId} freshness={view.facts.freshness} mayCheck={isOwn} />
        </>
      )}
      <Versions
        agentId={agentId}
        versions={versions}
        {...(mayWithdraw && { onYank: (version) => setWithdrawing({ version, isCurrent: version === view?.version }) })}
      />
      <Lint publicCard={view?.publicCard} />
      {isOwn && view && <Deprecation agentId={agentId} isDeprecated={view.facts.deprecated !== undefined} />}
      {withdrawing && card.data && (
        <WithdrawDialog
          agentId={agentId}
          audience={card.data.audience}
          name={card.data.facts.agentName}
          isForeign={!isOwn}
          of={withdrawing}
          onClose={() => setWithdrawing(undefined)}
          onDone={setWithdrawn}
        />
      )}
    </Page>
  )
}

/** Calls `onChange` when the value is another than the first one that was known. */
function useChangeOf(value: string | undefined, onChange: () => void): void {
  const [known, setKnown] = useState<string | undefined>(undefined)
  useEffect(() => {
    if (value === undefined || value === known) return
    setKnown(value)
    if (known !== undefined) onChange()
  }, [value, known])
}

interface ActionsProps {
  readonly agentId: AgentId
  readonly isOwn: boolean
  readonly mayWithdraw: boolean
  readonly onUnpublish: () => void
}

function Actions({ agentId, isOwn, mayWithdraw, onUnpublish }: ActionsProps) {
  const { viewer } = useConsole()
  return (
    <>
      {viewer.role !== 'person' && (
        <a class="button" href={`/console/cards/${agentId}/request`}>
          Request an introduction
        </a>
      )}{' '}
      {isOwn && <a href={`/console/agents/${agentId}`}>The agent</a>}{' '}
      {mayWithdraw && (
        <button type="button" class="danger" onClick={onUnpublish}>
          Unpublish
        </button>
      )}
    </>
  )
}

function Summary({ view: { agentId, facts, text, version } }: { readonly view: CardView }) {
  const { deprecated } = facts
  return (
    <Section title="The agent according to its card">
      <Facts
        of={{
          Agent: <Name id={agentId} link={false} />,
          Id: <Code>{agentId}</Code>,
          Organisation: <Foreign text={facts.organisationName} />,
          'Name in the card': <Foreign text={text.name} />,
          Description: text.description !== '' && <Foreign text={text.description} max={8192} />,
          Version: version,
          Verdict: <State state={facts.verdict.state} />,
          Endpoint: facts.endpoint && <Foreign text={facts.endpoint} max={2048} />,
          Published: <Time at={facts.publishedAt} />,
          Deprecated: deprecated && (
            <>
              <Time at={deprecated.at} /> {deprecated.successor && <Name id={deprecated.successor} />}{' '}
              {text.deprecation !== undefined && <Foreign text={text.deprecation} />}
            </>
          ),
        }}
      />
    </Section>
  )
}

const NoCard = ({ agentId, error }: { readonly agentId: AgentId; readonly error: unknown }) => (
  <>
    {error instanceof CredenceError && error.reason !== 'not_found' && <ErrorNote error={error} />}
    <Empty>
      <p>This agent has no card that you can read. The agent or its organisation publishes one with:</p>
      <Command text={`credence card publish ${agentId} card.json`} />
    </Empty>
  </>
)
