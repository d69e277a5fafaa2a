import { Fragment } from 'preact'
import { Foreign } from '../../http/pages/foreign.js'
import { Time } from '../../http/pages/time.js'
import { PENDING_REASONS } from '../../protocol/approvals/pending-reasons.js'
import type { Audience } from '../../protocol/ids.js'
import type { Scope } from '../../protocol/rights.js'
import { BoundsText } from '../pages/bounds-form.js'
import type { AudienceParty, ClientParty } from '../pages/parties.js'
import { PartyName } from '../pages/party-name.js'
import type { ApprovalView } from './view.js'

export interface DescribedApproval {
  readonly view: ApprovalView
  readonly requester: ClientParty
  /** Absent for a capability, which any agent may have. */
  readonly target: AudienceParty | undefined
}

/** The facts of a request: the parties, the purpose, and why it needs an approval. */
export function Facts({ view, requester, target }: DescribedApproval) {
  return (
    <dl>
      <dt>Requester</dt>
      <dd>
        {view.kind === 'consent' ? 'A person of your organisation' : <ClientName {...requester} />} <code>{view.from}</code>
      </dd>
      {view.kind === 'consent' ? <ConsentFacts view={view} client={requester} /> : <TargetFacts view={view} target={target} />}
      <dt>Purpose</dt>
      <dd>
        <Foreign text={view.purpose} />
      </dd>
      <dt>Reason for approval</dt>
      <dd>{view.because.map((reason) => PENDING_REASONS[reason]).join(' ')}</dd>
      {'risk' in view && (
        <>
          <dt>Risk</dt>
          <dd>
            {view.risk.level} {view.risk.parts.map(({ code }) => RISKS[code] ?? code).join(' ')}
          </dd>
        </>
      )}
      {view.taskId && (
        <>
          <dt>Task</dt>
          <dd>
            <code>{view.taskId}</code>
          </dd>
        </>
      )}
      {'newTask' in view && view.newTask && (
        <>
          <dt>New task</dt>
          <dd>
            <Foreign text={view.newTask.description} />
          </dd>
        </>
      )}
      <dt>State</dt>
      <dd>
        {view.state}, until <Time at={view.expiresAt} />
      </dd>
    </dl>
  )
}

/** A client, with a note if no organisation vouches for its name. */
export function ClientName(client: ClientParty) {
  return (
    <>
      <PartyName {...client} />
      {client.organisation === undefined && ' (not registered by an organisation here; the name is its own claim)'}
    </>
  )
}

/** The target of a token or an introduction, and for whom the token would be. */
function TargetFacts({
  view,
  target,
}: {
  readonly view: Exclude<ApprovalView, { kind: 'consent' }>
  readonly target: AudienceParty | undefined
}) {
  return (
    <>
      <dt>For</dt>
      <dd>
        {target ? <Foreign text={target.name} /> : <Foreign text={('capability' in view && view.capability) || ''} />}{' '}
        <code>{'audience' in view ? view.audience : view.to}</code>
      </dd>
      {'subject' in view && view.subject !== view.from && (
        <>
          <dt>On behalf of</dt>
          <dd>
            <code>{view.subject}</code>
          </dd>
        </>
      )}
      {'actors' in view && view.actors.length > 0 && (
        <>
          <dt>Passed on by</dt>
          <dd>
            <code>{view.actors.join(' ')}</code>
          </dd>
        </>
      )}
    </>
  )
}

type ConsentView = Extract<ApprovalView, { kind: 'consent' }>

/** The rights at each audience that the application would have. */
function ConsentFacts({ view, client }: { readonly view: ConsentView; readonly client: ClientParty }) {
  return (
    <>
      <dt>For the application</dt>
      <dd>
        <ClientName {...client} /> <code>{view.client}</code>
      </dd>
      {view.rights.map(({ audience, bounds }) => (
        <Fragment key={audience}>
          <dt>
            Rights at <code>{audience}</code>
          </dt>
          <dd>
            <BoundsText bounds={bounds} wordsOf={(scope) => wordsIn(view, audience, scope)} />
          </dd>
        </Fragment>
      ))}
    </>
  )
}

const wordsIn = ({ words }: Pick<ConsentView, 'words'>, audience: Audience, scope: Scope): string | undefined =>
  words.find((one) => one.audience === audience && one.scope === scope)?.words

const RISKS: Readonly<Record<string, string>> = {
  new_audience: 'The requester has not used this audience before.',
  new_scope: 'The requester has not used this scope there before.',
  rate: 'The requester requests more tokens than usual.',
  deeper: 'The token passes through more agents than before.',
  new_key: 'The key is less than a day old.',
}
