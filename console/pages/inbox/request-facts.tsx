import { PENDING_REASONS } from '../../../src/protocol/approvals/pending-reasons.js'
import type { Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { Exact, Whole } from '../../ui/exact.js'
import { Facts } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { riskText, VERDICTS } from '../../ui/words.js'

export type Request = Output<'approvals.get'>

/** Who asks, for what and why: all that a person needs to decide, in full. */
export function RequestFacts({ request }: { readonly request: Request }) {
  const { from, purpose, because, requestedAt, expiresAt, state, taskId } = request
  return (
    <Facts
      of={{
        Requester:
          request.kind === 'consent' ? (
            'A person of your organisation'
          ) : (
            <>
              <RequesterName request={request} /> <Code>{from}</Code>
            </>
          ),
        'Its card': request.kind === 'consent' ? undefined : <CardVerdict agentId={from} />,
        ...(request.kind === 'consent' && {
          'For the application': (
            <>
              <Whole text={request.clientName} /> (the name that it gave itself) <Code>{request.client}</Code>
            </>
          ),
        }),
        ...(request.kind !== 'consent' && { For: <Target request={request} /> }),
        ...(request.kind === 'token' && {
          'On behalf of': request.subject === from ? undefined : <Code>{request.subject}</Code>,
          'Passed on by': request.actors.length > 0 ? <Code>{request.actors.join(' ')}</Code> : undefined,
          Risk: `${request.risk.level}. ${request.risk.parts.map(({ code }) => riskText(code)).join(' ')}`,
          'New task': request.newTask && <Whole text={request.newTask.description} />,
          'Reference of the new task': request.newTask?.reference && <Exact text={request.newTask.reference} />,
          'Parent of the new task': request.newTask?.parentTaskId && <Code>{request.newTask.parentTaskId}</Code>,
          Token:
            request.jkt === undefined ? (
              <strong>A bearer token: everyone who gets hold of it can use it.</strong>
            ) : (
              <>
                Bound to the key <Code>{request.jkt}</Code>
              </>
            ),
        }),
        ...('requestedSeconds' in request && {
          Lifetime: `${durationText(request.requestedSeconds)} from the approval`,
          Skills: request.skills.length > 0 && request.skills.map((skill, i) => [i > 0 && ', ', <Exact key={skill} text={skill} />]),
          Interface: request.interface && (
            <>
              <Exact text={request.interface.protocolBinding} /> <Exact text={request.interface.url} />
            </>
          ),
        }),
        Purpose: <Whole text={purpose} />,
        'Needs a decision': because.map((reason) => PENDING_REASONS[reason]).join(' '),
        Task: taskId && <Code>{taskId}</Code>,
        Requested: <Time at={requestedAt} />,
        State: (
          <>
            <State state={state} /> until <Time at={expiresAt} />
          </>
        ),
      }}
    />
  )
}

const UNITS = [
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const

/** A time in full, such as `2 days 1 hour`. */
export function durationText(seconds: number): string {
  const parts: string[] = []
  let left = seconds
  for (const [size, unit] of UNITS) {
    const count = Math.floor(left / size)
    left -= count * size
    if (count > 0) parts.push(`${count} ${unit}${count === 1 ? '' : 's'}`)
  }
  return parts.join(' ')
}

/** The agent that asks, with its organisation. The name is its own choice. */
export function RequesterName({ request }: { readonly request: Request }) {
  if (!('requester' in request)) return <>A person of your organisation</>
  const { name, organisation } = request.requester
  return (
    <>
      <Foreign text={name} />
      {organisation !== undefined && (
        <>
          {' '}
          of <Foreign text={organisation} />
        </>
      )}
    </>
  )
}

function Target({ request }: { readonly request: Exclude<Request, { kind: 'consent' }> }) {
  const id = request.kind === 'token' ? request.audience : request.to
  if (id === undefined) return <Exact text={'capability' in request ? (request.capability ?? '') : ''} />
  return (
    <>
      <Name id={id} link={false} /> <Exact text={id} />
    </>
  )
}

/** What the registry knows of an agent by its card: organisation, verdict, since when. */
export function CardVerdict({ agentId }: { readonly agentId: string }) {
  const { data, error, isLoading } = useQuery('cards.get', { agentId }, { isLive: false })
  if (error !== undefined) return <>No card that you can see, so its name is not verified.</>
  if (data === undefined) return isLoading ? <>…</> : null
  const { facts, proof } = data
  const { verdict } = facts
  return (
    <>
      <State state={verdict.state} /> {VERDICTS[verdict.state]}
      {verdict.namespace && (
        <>
          {' '}
          <Foreign text={verdict.namespace.name} />
        </>
      )}{' '}
      Its organisation is <Foreign text={facts.organisationName} />. Checked <Time at={verdict.checkedAt} />.{' '}
      {proof && (
        <>
          Its key was registered <Time at={proof.statement.registeredAt} />.
        </>
      )}
    </>
  )
}
