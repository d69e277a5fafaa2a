import { useState } from 'preact/hooks'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { Dialog } from '../../ui/dialogs/dialog.js'
import { Exact } from '../../ui/exact.js'
import { BoundsBoxes, BoundsText, useBoundsChoice, type WordsOf } from '../../ui/forms/bounds.js'
import { Field } from '../../ui/forms/fields.js'
import { ErrorNote, Result } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { durationText, type Request, RequestFacts } from './request-facts.js'

interface DecisionDialogProps {
  /** The id of an approval, or of an introduction. */
  readonly approvalId: string
  readonly verb: 'approve' | 'deny'
  /** False: the dialogue only shows the request. */
  readonly mayDecide: boolean
  /** Hears what was decided, in a sentence. */
  readonly onDecided: (text: string) => void
  readonly onClose: () => void
}

/** Shows a request in full, with a box for each right. What is approved is what is shown and ticked. */
export function DecisionDialog({ approvalId, verb, mayDecide, onDecided, onClose }: DecisionDialogProps) {
  const request = useQuery('approvals.get', { approvalId })
  const from = request.data?.kind === 'consent' ? undefined : request.data?.from
  // `RequestFacts` shows it, too
  const card = useQuery('cards.get', from === undefined ? undefined : { agentId: from }, { isLive: false })
  const isComplete = from === undefined || card.data !== undefined || card.error !== undefined
  const done = (text: string) => {
    onDecided(text)
    onClose()
  }
  return (
    <Dialog title={verb === 'deny' ? 'Deny the request' : 'Decide about the request'} onClose={onClose}>
      <Result of={request}>
        {(data) => (
          <>
            <RequestFacts request={data} />
            {mayDecide && isOpen(data) ? (
              <Decision request={data} verb={verb} isComplete={isComplete} onDecided={done} />
            ) : (
              <Bounds request={data} />
            )}
          </>
        )}
      </Result>
      <button type="button" class="quiet" onClick={onClose}>
        Close
      </button>
    </Dialog>
  )
}

type IntroductionRequest = Extract<Request, { readonly kind: 'introduction' | 'capability' }>

const isOpen = ({ state }: Request): boolean => state === 'pending' || state === 'needsApproval'

const wordsOf =
  (request: Request): WordsOf =>
  (scope) =>
    'words' in request ? request.words.find((one) => one.scope === scope)?.words : undefined

function Bounds({ request }: { readonly request: Request }) {
  if (request.kind !== 'consent') return <BoundsText bounds={request.approved ?? request.requested} wordsOf={wordsOf(request)} />
  return (
    <>
      {request.rights.map(({ audience, bounds }) => (
        <Section key={audience} title="Rights">
          <p>
            At <Exact text={audience} />
          </p>
          <BoundsText
            bounds={bounds}
            wordsOf={(scope) => request.words.find((one) => one.audience === audience && one.scope === scope)?.words}
          />
        </Section>
      ))}
    </>
  )
}

interface DecisionProps {
  readonly request: Request
  readonly verb: 'approve' | 'deny'
  /** False while a part of what is shown is being read: then nothing can be approved. */
  readonly isComplete: boolean
  readonly onDecided: (text: string) => void
}

function Decision({ request, verb, isComplete, onDecided }: DecisionProps) {
  const denial = <Denial request={request} onDecided={onDecided} />
  if (verb === 'deny')
    return (
      <>
        <Bounds request={request} />
        {denial}
      </>
    )
  return (
    <>
      {request.kind === 'introduction' || request.kind === 'capability' ? (
        <IntroductionApproval request={request} isComplete={isComplete} onDecided={onDecided} />
      ) : (
        <Approval request={request} isComplete={isComplete} onDecided={onDecided} />
      )}
      {request.state === 'pending' && denial}
    </>
  )
}

const DAY = 86_400
const INVALID = 'Leave at least one scope ticked. To allow nothing, deny the request.'
const approvedText = (scopes: readonly string[]) => `Approved: ${scopes.join(' ')}`

/** An introduction may also be approved for a shorter time. All that is shown is sent. */
function IntroductionApproval({
  request,
  isComplete,
  onDecided,
}: Omit<DecisionProps, 'verb' | 'request'> & { readonly request: IntroductionRequest }) {
  const introductionId = request.approvalId
  const choice = useBoundsChoice(request.approved ?? request.requested)
  const action = useAction('introductions.approve', ['approvals', 'introductions'])
  const [days, setDays] = useState<string | undefined>(undefined)
  const { requestedSeconds } = request
  const seconds = days === undefined ? requestedSeconds : Math.min(requestedSeconds, Math.round(Number(days) * DAY))
  const isTimeValid = seconds > 0
  const submit = async (event: Event) => {
    event.preventDefault()
    const result = await action.run({ introductionId, ...choice.shown, seconds })
    if (result) onDecided(approvedText(result.bounds?.scopes ?? []))
  }
  return (
    <form onSubmit={submit} noValidate>
      <BoundsBoxes choice={choice} wordsOf={wordsOf(request)} />
      <Field
        label="Expires after (days)"
        name="days"
        type="number"
        value={days ?? String(Number((requestedSeconds / DAY).toFixed(2)))}
        onInput={setDays}
        hint={`${isTimeValid ? `It expires ${durationText(seconds)} after the approval.` : 'Write a number of days.'} Requested: ${durationText(requestedSeconds)}. The policy of the target may allow fewer.`}
      />
      {!choice.isValid && <p class="error">{INVALID}</p>}
      <ErrorNote error={action.error} />
      <button type="submit" disabled={!choice.isValid || !isTimeValid || !isComplete || action.isRunning}>
        Approve what is ticked
      </button>
    </form>
  )
}

/** The approval of one token, or of a consent, which the person narrows afterwards. */
function Approval({ request, isComplete, onDecided }: Omit<DecisionProps, 'verb'>) {
  const choice = useBoundsChoice(request.requested)
  const action = useAction('approvals.approve', ['approvals'])
  const submit = async (event: Event) => {
    event.preventDefault()
    const isConsent = request.kind === 'consent'
    const result = await action.run({ approvalId: request.approvalId, ...(!isConsent && { narrow: choice.shown }) })
    if (result) onDecided(approvedText(result.approved?.scopes ?? []))
  }
  return (
    <form onSubmit={submit}>
      {request.kind === 'consent' ? <Bounds request={request} /> : <BoundsBoxes choice={choice} wordsOf={wordsOf(request)} />}
      <p class="hint">
        {request.kind === 'consent'
          ? 'The person then chooses within what you approve.'
          : 'The approval allows one token, and expires after an hour.'}
      </p>
      {!choice.isValid && <p class="error">{INVALID}</p>}
      <ErrorNote error={action.error} />
      <button type="submit" disabled={!choice.isValid || !isComplete || action.isRunning}>
        {request.kind === 'consent' ? 'Approve' : 'Approve what is ticked'}
      </button>
    </form>
  )
}

function Denial({ request, onDecided }: Pick<DecisionProps, 'request' | 'onDecided'>) {
  const action = useAction('approvals.deny', ['approvals', 'introductions'])
  const [note, setNote] = useState('')
  const submit = async (event: Event) => {
    event.preventDefault()
    const result = await action.run({ approvalId: request.approvalId, ...(note.trim() && { note: note.trim() }) })
    if (result) onDecided('Denied.')
  }
  return (
    <form onSubmit={submit}>
      <Field label="Note" name="note" value={note} onInput={setNote} hint="The requester reads it. At most 512 characters." />
      <ErrorNote error={action.error} />
      <button type="submit" class="danger" disabled={action.isRunning}>
        Deny
      </button>
    </form>
  )
}
