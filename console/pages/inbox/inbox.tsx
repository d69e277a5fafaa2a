import { useLocation } from 'preact-iso'
import { PENDING_REASONS } from '../../../src/protocol/approvals/pending-reasons.js'
import { useConsole } from '../../api/console.js'
import type { Item } from '../../api/procedures.js'
import { useList } from '../../api/use-query.js'
import { useDone } from '../../ui/done.js'
import { Choice } from '../../ui/forms/fields.js'
import { Empty } from '../../ui/notes.js'
import { Page } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Command, Foreign, Name, State, Time } from '../../ui/text.js'
import { DecisionDialog } from './decision-dialog.js'
import { useInboxSignal } from './use-inbox-signal.js'

type Waiting = Item<'approvals.list'>

const INBOX = '/console/inbox'
const idOf = ({ approvalId }: Waiting): string => approvalId
const isIntroduction = ({ approvalId }: Waiting): boolean => approvalId.startsWith('int_')

/** Requests that wait for a decision of the viewer's organisation. */
export function Inbox() {
  const { viewer } = useConsole()
  return viewer.role === 'person' ? <InboxOfPerson /> : <Requests />
}

const InboxOfPerson = () => (
  <Page title="Inbox">
    <Empty>
      <p>
        Nothing waits for you. The members of your organisation decide about requests to it; you decide when a program asks for your
        consent.
      </p>
      <p>
        <a href="/console/consents">What you have allowed</a>
      </p>
    </Empty>
  </Page>
)

const VIEWS = [
  ['to pending', 'Waiting for us'],
  ['to all', 'All received'],
  ['from pending', 'Our pending requests'],
  ['from all', 'All our requests'],
] as const

function Requests() {
  const { query, route } = useLocation()
  useInboxSignal()
  const [done, say] = useDone()
  const role = query.role === 'from' ? 'from' : 'to'
  const state = query.state === 'all' ? 'all' : 'pending'
  const list = useList('approvals.list', { role, state }, idOf)
  const address = (more: Readonly<Record<string, string>> = {}) => {
    const all = { ...(role === 'from' && { role }), ...(state === 'all' && { state }), ...more }
    return Object.keys(all).length === 0 ? INBOX : `${INBOX}?${new URLSearchParams(all)}`
  }
  const decide = (item: Waiting, verb: 'approve' | 'deny') => {
    if (role === 'to' && isOpen(item)) route(address({ item: idOf(item), verb }))
  }
  const hrefOf = (item: Waiting) => (isIntroduction(item) ? `/console/introductions/${idOf(item)}` : address({ item: idOf(item) }))
  const onView = (view: string) => {
    const [role = 'to', state = 'pending'] = view.split(' ')
    route(`${INBOX}?${new URLSearchParams({ role, state })}`, true)
  }
  return (
    <Page title="Inbox">
      <Choice label="Show" name="view" options={VIEWS} value={`${role} ${state}`} onChange={onView} />
      <p class="hint">
        Keys: <kbd>j</kbd> next, <kbd>k</kbd> previous, <kbd>Enter</kbd> open, <kbd>a</kbd> approve, <kbd>d</kbd> deny.
      </p>
      {done}
      <Rows
        label="Requests"
        list={list}
        idOf={idOf}
        hrefOf={hrefOf}
        keys={{ a: (item) => decide(item, 'approve'), d: (item) => decide(item, 'deny') }}
        row={(item) => (
          <RequestRow
            item={item}
            href={hrefOf(item)}
            {...(role === 'to' && isOpen(item) && { decideHref: address({ item: idOf(item), verb: 'approve' }) })}
          />
        )}
        empty={<NothingWaits role={role} />}
      />
      {query.item !== undefined && (
        <DecisionDialog
          key={query.item}
          approvalId={query.item}
          verb={query.verb === 'deny' ? 'deny' : 'approve'}
          mayDecide={role === 'to'}
          onDecided={say}
          onClose={() => route(address(), true)}
        />
      )}
    </Page>
  )
}

const isOpen = ({ state }: Waiting): boolean => state === 'pending' || state === 'needsApproval'

const NothingWaits = ({ role }: { readonly role: 'from' | 'to' }) => (
  <Empty>
    {role === 'to' ? (
      <>
        <p>No request is waiting for a decision. New requests appear here automatically. On the command line:</p>
        <Command text="credence approval list" />
      </>
    ) : (
      <>
        <p>Your agents have not requested anything. To request an introduction:</p>
        <Command text="credence introduction request AGENT --scope SCOPE --purpose TEXT" />
      </>
    )}
  </Empty>
)

interface RequestRowProps {
  readonly item: Waiting
  readonly href: string
  readonly decideHref?: string
}

function RequestRow({ item, href, decideHref }: RequestRowProps) {
  return (
    <>
      <a href={href}>
        <RequesterOf item={item} /> to <TargetOf item={item} />
      </a>
      <span>
        {item.requested.scopes.map((scope, i) => [i > 0 && ', ', <Foreign key={scope} text={scope} />])}
        {item.requested.scopes.length === 0 && 'the scopes of its card'}
      </span>
      <State state={item.state} />
      {'risk' in item && <span class="hint">risk {item.risk.level}</span>}
      <span class="hint">
        requested <Time at={item.requestedAt} />
      </span>
      <span>
        “<Foreign text={item.purpose} />”
      </span>
      <span class="hint">{item.because.map((reason) => PENDING_REASONS[reason]).join(' ')}</span>
      {decideHref !== undefined && (
        <a class="button" href={decideHref} aria-label={`Decide about ${idOf(item)}`}>
          Decide
        </a>
      )}
    </>
  )
}

/** The requester of a request; of a consent the client that would act for the person. */
const RequesterOf = ({ item }: { readonly item: Waiting }) =>
  item.kind === 'consent' ? (
    <>
      A person, for <Foreign text={item.clientName} />
    </>
  ) : (
    <Name id={item.from} link={false} />
  )

/** What the request leads to: an agent or a resource, any agent with a capability, or the audiences of a consent. */
function TargetOf({ item }: { readonly item: Waiting }) {
  if (item.kind === 'consent')
    return <>{item.rights.map(({ audience }, i) => [i > 0 && ', ', <Name key={audience} id={audience} link={false} />])}</>
  if (item.kind === 'token') return <Name id={item.audience} link={false} />
  if (item.to !== undefined) return <Name id={item.to} link={false} />
  return (
    <>
      any agent with <Foreign text={item.capability ?? ''} />
    </>
  )
}
