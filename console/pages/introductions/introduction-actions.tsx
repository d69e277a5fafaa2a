import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Input, Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { nameToType } from '../../ui/dialogs/confirm-name.js'
import { Dialog, RevokeDialog } from '../../ui/dialogs/dialog.js'
import { ReasonChoice } from '../../ui/dialogs/reason-fields.js'
import { BoundsBoxes, useBoundsChoice } from '../../ui/forms/bounds.js'
import { Field } from '../../ui/forms/fields.js'
import { secondsOf } from '../../ui/forms/local-time.js'
import { useAgentName } from '../../ui/names/agent-name.js'
import { ErrorNote } from '../../ui/notes.js'
import { Foreign, Name } from '../../ui/text.js'
import { isKnown, LiveTokens, Outcome, useTokensOfIntroduction } from './live-tokens.js'

type Introduction = Output<'introductions.list'>['items'][number]
type Reason = NonNullable<Input<'introductions.revoke'>['reason']>

interface ActionProps {
  readonly introduction: Introduction
  /** With what was revoked or narrowed, for the page. */
  readonly onDone: (outcome: ComponentChildren) => void
  readonly onClose: () => void
}

const CHANGES = ['introductions', 'approvals', 'tokens'] as const

/** What a dialogue that revokes says about an agent or a client, and asks for. */
function useConfirmation(id: string): { readonly name: string; readonly id: string; readonly isForeign: boolean } {
  const { name, isOwn } = useAgentName(id)
  return { name: nameToType(name, id), id, isForeign: !isOwn }
}

/** Revokes a granted introduction, or withdraws a request. */
export function RevokeIntroduction({ introduction, onDone, onClose }: ActionProps) {
  const { introductionId, from, state } = introduction
  const isRequest = state === 'pending'
  const confirmation = useConfirmation(from)
  const tokens = useTokensOfIntroduction(isRequest ? undefined : introductionId)
  const action = useAction('introductions.revoke', CHANGES)
  const [reason, setReason] = useState<Reason>('no_longer_needed')
  const confirm = async () => {
    const result = await action.run({ introductionId, reason })
    if (result) onDone(<Outcome of={tokens}>{isRequest ? 'The request was withdrawn.' : 'The introduction was revoked.'}</Outcome>)
    return result
  }
  return (
    <RevokeDialog
      title={isRequest ? 'Withdraw the request' : 'Revoke the introduction'}
      verb={isRequest ? 'Withdraw' : 'Revoke'}
      {...confirmation}
      isReady={isRequest || isKnown(tokens)}
      {...(action.error !== undefined && { error: action.error })}
      isRunning={action.isRunning}
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>
        <Parties introduction={introduction} />
      </p>
      {!isRequest && (
        <>
          <p>
            This immediately revokes every token that was issued under it, the tokens that were derived from those, and the refresh tokens
            that depend on it. To call again, the agent needs a new introduction.
          </p>
          <LiveTokens of={tokens} />
        </>
      )}
      <ReasonChoice value={reason} onChange={setReason} />
    </RevokeDialog>
  )
}

const Parties = ({ introduction: { from, to, capability } }: { readonly introduction: Introduction }) => (
  <>
    <Name id={from} link={false} withId /> to{' '}
    {to === undefined ? <Foreign text={capability ?? ''} /> : <Name id={to} link={false} withId />}
  </>
)

/** Narrows a granted introduction: what is unticked is no longer allowed. */
export function NarrowIntroduction({ introduction, onDone, onClose }: ActionProps) {
  const { introductionId, bounds, requested, expiresAt } = introduction
  const choice = useBoundsChoice(bounds ?? requested)
  const tokens = useTokensOfIntroduction(introductionId)
  const action = useAction('introductions.narrow', CHANGES)
  const [date, setDate] = useState('')
  const chosen = secondsOf(date)
  // A later end would extend the introduction
  const earlier = chosen !== undefined && chosen < expiresAt ? { until: chosen } : {}
  const changes = { ...choice.kept, ...earlier }
  const submit = async (event: Event) => {
    event.preventDefault()
    const result = await action.run({ introductionId, ...changes })
    if (!result) return
    onDone(<Outcome of={tokens}>The introduction was narrowed. It allows: {result.bounds?.scopes.join(' ')}</Outcome>)
    onClose()
  }
  return (
    <Dialog title="Narrow the introduction" onClose={onClose}>
      <p>
        <Parties introduction={introduction} />
      </p>
      <form onSubmit={submit}>
        <BoundsBoxes choice={choice} />
        <Field
          label="New last day"
          name="until"
          type="date"
          value={date}
          onInput={setDate}
          hint={`Empty or later: it still expires on ${new Date(expiresAt * 1000).toLocaleDateString()}.`}
        />
        <p>
          These tokens are revoked immediately; the agent can request narrower ones. An introduction cannot be widened again: more rights
          need a new request.
        </p>
        <LiveTokens of={tokens} />
        {!choice.isValid && <p class="error">Leave at least one scope ticked. To allow nothing, revoke the introduction.</p>}
        <ErrorNote error={action.error} />
        <button type="submit" class="danger" disabled={Object.keys(changes).length === 0 || !choice.isValid || action.isRunning}>
          Narrow to what is ticked
        </button>
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
      </form>
    </Dialog>
  )
}
