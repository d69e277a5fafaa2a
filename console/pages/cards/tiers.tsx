import type { ComponentChildren } from 'preact'
import type { JsonObject } from '../../../src/lib/json.js'
import type { CardView } from '../../../src/protocol/cards/card-view.js'
import type { AgentId } from '../../../src/protocol/ids.js'
import type { QueryState } from '../../api/cache.js'
import { useQuery } from '../../api/use-query.js'
import { Empty, Result } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { CardParts } from './card-parts.js'
import { countMore, partsOf } from './more.js'

/** Each view of a card writes an audit row, so a card is not read again whenever the log grows. */
const ONCE = { isLive: false }

interface TiersProps {
  readonly agentId: AgentId
  /** True if the viewer may see the card as every caller does. */
  readonly isOwn: boolean
}

/** The card as three classes of callers see it, side by side. */
export function Tiers({ agentId, isOwn }: TiersProps) {
  const anonymous = useQuery('cards.get', { agentId, as: 'anonymous' }, ONCE)
  const authenticated = useQuery('cards.get', { agentId, as: 'authenticated' }, ONCE)
  const introduced = useQuery('cards.get', isOwn ? { agentId, as: 'introduced' } : undefined, ONCE)
  return (
    <Section title="Who sees what">
      <div class="columns">
        <Tier title="An anonymous caller" of={anonymous} />
        <Tier title="An authenticated caller" of={authenticated} before={anonymous} than="an anonymous caller" />
        {isOwn ? (
          <Tier title="An introduced caller" of={introduced} before={authenticated} than="an authenticated caller" />
        ) : (
          <Column title="An introduced caller">
            <Empty>Only introduced agents and the organisation of the agent can see this view.</Empty>
          </Column>
        )}
      </div>
    </Section>
  )
}

const Column = ({ title, children }: { readonly title: string; readonly children: ComponentChildren }) => (
  <section aria-label={title}>
    <h3>{title}</h3>
    {children}
  </section>
)

interface TierProps {
  readonly title: string
  readonly of: QueryState<CardView>
  readonly before?: QueryState<CardView>
  readonly than?: string
}

function Tier({ title, of, before, than }: TierProps) {
  const earlier = before?.data
  return (
    <Column title={title}>
      <Result of={of}>
        {(view) =>
          before && !earlier ? null : <CardAsSeen view={view} {...(earlier && { before: earlier })} {...(than !== undefined && { than })} />
        }
      </Result>
    </Column>
  )
}

function CardAsSeen({ view, before, than }: { readonly view: CardView; readonly before?: CardView; readonly than?: string }) {
  const shownOf = ({ claims, facts }: CardView) => ({ ...claims, 'scopes in the card': facts.scopes }) as unknown as JsonObject // the claims are JSON
  const parts = partsOf(shownOf(view), shownOf(before ?? view))
  const more = countMore(parts)
  return (
    <>
      {than !== undefined && (
        <p>
          {more === 0 ? `Sees no more than ${than}.` : `Sees ${more} ${more === 1 ? 'part' : 'parts'} more than ${than}, marked “more”.`}
        </p>
      )}
      <CardParts parts={parts} />
    </>
  )
}
