import { useEffect, useRef } from 'preact/hooks'
import { PENDING_REASONS } from '../../../src/protocol/approvals/pending-reasons.js'
import type { Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { Facts } from '../../ui/page.js'
import { Foreign, Name, State, Time } from '../../ui/text.js'

type Introduction = Output<'introductions.request'>

/** What became of a request, live: a decision appears here. */
export function Requested({ introduction, onAgain }: { readonly introduction: Introduction; readonly onAgain: () => void }) {
  const { introductionId } = introduction
  const current = useQuery('introductions.get', { introductionId })
  const shown = current.data ?? introduction
  const { state, from, bounds, requested, pendingBecause = [], expiresAt } = shown
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [])
  return (
    <section aria-label="The request">
      <h2 tabIndex={-1} ref={heading}>
        {state === 'granted'
          ? 'The introduction is granted'
          : state === 'pending'
            ? 'The request is waiting for a decision'
            : 'The request'}
      </h2>
      <p aria-live="polite">
        <State state={state} />{' '}
        {state === 'pending' &&
          `The agent or its organisation decides. ${pendingBecause.map((reason) => PENDING_REASONS[reason]).join(' ')}`}
        {state === 'granted' && 'The agent can request tokens now.'}
      </p>
      <Facts
        of={{
          For: <Name id={from} />,
          [bounds ? 'Granted scopes' : 'Requested scopes']: (bounds ?? requested).scopes.map((scope) => [
            <Foreign key={scope} text={scope} />,
            ' ',
          ]),
          Tools: (bounds ?? requested).tools?.map((tool) => [<Foreign key={tool} text={tool} />, ' ']),
          [state === 'pending' ? 'Expires if undecided' : 'Expires']: <Time at={expiresAt} />,
        }}
      />
      <p>
        <a class="button" href={`/console/introductions/${introductionId}`}>
          Show the introduction
        </a>
        <button type="button" class="quiet" onClick={onAgain}>
          Request another one
        </button>
      </p>
    </section>
  )
}
