import { useState } from 'preact/hooks'
import { EndReason } from '../../../src/protocol/end-reason.js'
import type { Input } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { REASON_OPTIONS } from '../../ui/dialogs/reason-fields.js'
import { Choice } from '../../ui/forms/fields.js'
import { Name } from '../../ui/text.js'
import { type Done, NarrowIntroduction, RevokeIntroduction, useConfirmation } from '../introductions/introduction-actions.js'
import { isKnown, LiveTokens, useTokensOfConsent } from '../introductions/live-tokens.js'
import type { ConsentRow, Edge } from './edges.js'

export type EdgeVerb = 'narrow' | 'revoke'

/** What may be done with an edge. The registry decides in any case. */
export function verbsOf({ kind, state, direction }: Edge): readonly EdgeVerb[] {
  if (kind === 'consent') return state === 'valid' ? ['revoke'] : []
  if (state === 'pending') return direction === 'in' ? [] : ['revoke']
  if (state !== 'granted' && state !== 'needsApproval') return []
  // Only the side of the target narrows
  return direction === 'out' ? ['revoke'] : ['narrow', 'revoke']
}

interface EdgeActionProps {
  readonly edge: Edge
  readonly verb: EdgeVerb
  readonly onDone: (done: Done) => void
  readonly onClose: () => void
}

export function EdgeAction({ edge, verb, ...rest }: EdgeActionProps) {
  if (edge.kind === 'consent') return <RevokeConsent consent={edge.row} {...rest} />
  return verb === 'narrow' ? (
    <NarrowIntroduction introduction={edge.row} {...rest} />
  ) : (
    <RevokeIntroduction introduction={edge.row} {...rest} />
  )
}

type Reason = NonNullable<Input<'consents.revoke'>['reason']>

function RevokeConsent({ consent, onDone, onClose }: Omit<EdgeActionProps, 'edge' | 'verb'> & { readonly consent: ConsentRow }) {
  const { consentId, client, audience } = consent
  const confirmation = useConfirmation(client)
  const tokens = useTokensOfConsent(consentId)
  const action = useAction('consents.revoke', ['consents', 'families', 'tokens'])
  const [reason, setReason] = useState<Reason>('user_request')
  const confirm = async () => {
    const ended = tokens.data?.items ?? []
    const result = await action.run({ consentId, reason })
    if (result) onDone({ text: 'The consent was revoked.', tokens: ended })
    return result
  }
  return (
    <RevokeDialog
      title="Revoke the consent"
      verb="Revoke"
      {...confirmation}
      isReady={isKnown(tokens)}
      {...(action.error !== undefined && { error: action.error })}
      isRunning={action.isRunning}
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>
        <Name id={client} link={false} withId /> at <Name id={audience} link={false} withId />
      </p>
      <p>
        This immediately revokes every token that was issued under it, and every refresh token that depends on it. To act for the person
        again, the client must ask for a new consent.
      </p>
      <LiveTokens of={tokens} />
      <Choice
        label="Reason"
        name="reason"
        options={REASON_OPTIONS}
        value={reason}
        onChange={(value) => setReason(EndReason.parse(value))}
      />
    </RevokeDialog>
  )
}
