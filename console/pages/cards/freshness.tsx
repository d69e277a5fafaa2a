import type { Freshness as Checked } from '../../../src/protocol/cards/card-view.js'
import type { AgentId } from '../../../src/protocol/ids.js'
import { useAction } from '../../api/use-action.js'
import { ErrorNote } from '../../ui/notes.js'
import { Facts, Section } from '../../ui/page.js'
import { Foreign, State, Time } from '../../ui/text.js'

interface FreshnessProps {
  readonly agentId: AgentId
  readonly freshness: Checked | undefined
  /** True if the viewer may have it checked. */
  readonly mayCheck: boolean
}

/** How the published card compares with the one that the agent serves itself. */
export function Freshness({ agentId, freshness, mayCheck }: FreshnessProps) {
  const check = useAction('cards.checkFreshness', ['cards.get'])
  return (
    <Section title="Does the agent serve the same card?">
      {freshness ? <Seen of={freshness} /> : <p>The registry has not compared the card with the one that the agent serves.</p>}
      {mayCheck && (
        <>
          <ErrorNote error={check.error} />
          <button type="button" onClick={() => check.run({ agentId })} disabled={check.isRunning}>
            Compare now
          </button>
          <p class="hint">A version is compared at most once a day. Until then, this shows the last result.</p>
        </>
      )}
    </Section>
  )
}

const Seen = ({ of: { card, cardSince, differs = [], endpoint, endpointSince, checkedAt, url, version } }: { readonly of: Checked }) => (
  <Facts
    of={{
      'Its own card': (
        <>
          <State state={card} /> since <Time at={cardSince} />
        </>
      ),
      Differs:
        differs.length > 0 &&
        differs.map((name) => (
          <span key={name}>
            <Foreign text={name} />{' '}
          </span>
        )),
      Endpoint: endpoint && (
        <>
          <State state={endpoint} /> since <Time at={endpointSince} />
        </>
      ),
      Version: version,
      Address: <Foreign text={url} max={2048} />,
      Compared: <Time at={checkedAt} />,
    }}
  />
)
