import { useState } from 'preact/hooks'
import { PENDING_REASONS } from '../../../src/protocol/approvals/pending-reasons.js'
import type { Output } from '../../api/procedures.js'
import { useQuery } from '../../api/use-query.js'
import { useDone } from '../../ui/done.js'
import { Exact, Whole } from '../../ui/exact.js'
import { BoundsText } from '../../ui/forms/bounds.js'
import { Result } from '../../ui/notes.js'
import { Facts, Page, Section } from '../../ui/page.js'
import { Code, Foreign, Name, State, Time } from '../../ui/text.js'
import { DecisionDialog } from '../inbox/decision-dialog.js'
import { CardVerdict, RequesterName } from '../inbox/request-facts.js'
import { useInboxSignal } from '../inbox/use-inbox-signal.js'
import { NarrowIntroduction, RevokeIntroduction } from './introduction-actions.js'
import { LiveTokens, useTokensOfIntroduction } from './live-tokens.js'

type Introduction = Output<'introductions.get'>
type Verb = 'decide' | 'deny' | 'narrow' | 'revoke'

/** Everything about one introduction, with what its state allows. */
export function IntroductionPage({ introductionId }: { readonly introductionId: string }) {
  const introduction = useQuery('introductions.get', { introductionId })
  const isOfTarget = useMayDecide(introductionId)
  const [verb, setVerb] = useState<Verb | undefined>(undefined)
  const [done, say] = useDone()
  useInboxSignal()
  const close = () => setVerb(undefined)
  return (
    <Page
      title="Introduction"
      actions={introduction.data && <Verbs introduction={introduction.data} isOfTarget={isOfTarget} onChoose={setVerb} />}
    >
      {done}
      <Result of={introduction}>
        {(data) => (
          <>
            <About introduction={data} />
            {(data.state === 'granted' || data.state === 'needsApproval') && <Tokens introduction={data} />}
            {verb === 'narrow' && <NarrowIntroduction introduction={data} onDone={say} onClose={close} />}
            {verb === 'revoke' && <RevokeIntroduction introduction={data} onDone={say} onClose={close} />}
            {(verb === 'decide' || verb === 'deny') && (
              <DecisionDialog
                approvalId={data.introductionId}
                verb={verb === 'deny' ? 'deny' : 'approve'}
                mayDecide={isOfTarget}
                onDecided={say}
                onClose={close}
              />
            )}
          </>
        )}
      </Result>
    </Page>
  )
}

/** True if the target is of the viewer's organisation, whose members decide. */
function useMayDecide(introductionId: string): boolean {
  const { data } = useQuery('approvals.get', { approvalId: introductionId }, { isLive: false })
  return data !== undefined && 'mayDecide' in data && data.mayDecide
}

interface VerbsProps {
  readonly introduction: Introduction
  readonly isOfTarget: boolean
  readonly onChoose: (verb: Verb) => void
}

function Verbs({ introduction: { state }, isOfTarget, onChoose }: VerbsProps) {
  const button = (verb: Verb, label: string, className?: string) => (
    <button type="button" {...(className && { class: className })} onClick={() => onChoose(verb)}>
      {label}
    </button>
  )
  if (state === 'pending')
    return isOfTarget ? (
      <>
        {button('decide', 'Decide')}
        {button('deny', 'Deny', 'quiet')}
      </>
    ) : (
      button('revoke', 'Withdraw', 'danger')
    )
  if (state === 'granted' || state === 'needsApproval')
    return (
      <>
        {isOfTarget && state === 'needsApproval' && button('decide', 'Approve again')}
        {isOfTarget && state === 'granted' && button('narrow', 'Narrow')}
        {button('revoke', 'Revoke', 'danger')}
      </>
    )
  return null
}

function Tokens({ introduction }: { readonly introduction: Introduction }) {
  const tokens = useTokensOfIntroduction(introduction.introductionId)
  return (
    <Section title="Live tokens">
      <LiveTokens of={tokens} />
    </Section>
  )
}

function About({ introduction }: { readonly introduction: Introduction }) {
  const { introductionId, state, from, to, capability, purpose, requested, bounds, needsApproval, taskId, skills } = introduction
  const request = useQuery('approvals.get', { approvalId: introductionId }, { isLive: false })
  const wordsOf = (scope: string) =>
    request.data && 'words' in request.data ? request.data.words.find((one) => one.scope === scope)?.words : undefined
  return (
    <>
      <Facts
        of={{
          State: <State state={state} />,
          From: (
            <>
              {request.data ? <RequesterName request={request.data} /> : <Name id={from} />} <a href={`/console/reach/${from}`}>{from}</a>
            </>
          ),
          'Its card': <CardVerdict agentId={from} />,
          To: to && <Name id={to} withId />,
          Capability: capability && <Foreign text={capability} />,
          Purpose: <Whole text={purpose} />,
          'Needs a decision': introduction.pendingBecause?.map((reason) => PENDING_REASONS[reason]).join(' '),
          Interface: introduction.interface && (
            <>
              <Foreign text={introduction.interface.protocolBinding} /> <Exact text={introduction.interface.url} />
            </>
          ),
          Skills: skills.length > 0 ? skills.map((skill, i) => [i > 0 && ', ', <Exact key={skill} text={skill} />]) : undefined,
          Task: taskId && <a href={`/console/tasks/${taskId}`}>{taskId}</a>,
          Requested: <Time at={introduction.requestedAt} />,
          Granted: introduction.grantedAt && <Time at={introduction.grantedAt} />,
          Until: <Time at={introduction.expiresAt} />,
          Uses: introduction.uses,
          'Last used': introduction.lastUsedAt && <Time at={introduction.lastUsedAt} />,
          Ended: introduction.endedAt && <Time at={introduction.endedAt} />,
          'Ended by': introduction.endedBy && <Name id={introduction.endedBy} />,
          Reason: introduction.reason,
          Note: introduction.note && <Whole text={introduction.note} />,
          Id: <Code>{introductionId}</Code>,
        }}
      />
      {needsApproval && needsApproval.length > 0 && (
        <Section title="What the card no longer has">
          <ul>
            {needsApproval.map(({ pointer, hint }) => (
              <li key={pointer}>
                <Exact text={pointer} /> <Foreign text={hint} />
              </li>
            ))}
          </ul>
        </Section>
      )}
      {bounds && (
        <Section title="Granted">
          <BoundsText bounds={bounds} wordsOf={wordsOf} />
        </Section>
      )}
      <Section title="Requested">
        {requested.scopes.length === 0 ? (
          <p>The scopes of the card that the ceiling allows.</p>
        ) : (
          <BoundsText bounds={requested} wordsOf={wordsOf} />
        )}
      </Section>
    </>
  )
}
