import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { Input } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { nameToType } from '../../ui/dialogs/confirm-name.js'
import { countText } from '../../ui/dialogs/counted.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { ReasonChoice } from '../../ui/dialogs/reason-fields.js'
import { isKnown, LiveTokens, Outcome, useTokensOfConsent } from '../introductions/live-tokens.js'
import { PartyName } from './consents.js'
import { type Consent, Rights } from './rights.js'

interface RevokeConsentProps {
  readonly consent: Consent
  readonly onRevoked: (outcome: ComponentChildren) => void
  readonly onClose: () => void
}

/** The dialogue that revokes a consent. It says which tokens and families of refresh tokens end. */
export function RevokeConsent({ consent, onRevoked, onClose }: RevokeConsentProps) {
  const { consentId, client, clientName, audience, audienceName } = consent
  const [reason, setReason] = useState<NonNullable<Input<'consents.revoke'>['reason']>>('user_request')
  const revocation = useAction('consents.revoke', ['consents', 'families', 'tokens'])
  const tokens = useTokensOfConsent(consentId)
  const families = useQuery('families.list', { consentId, limit: 100 })
  const valid = families.data?.items.filter(({ state }) => state === 'valid') ?? []
  // Those with another consent go on without this one
  const ending = valid.filter(({ grants }) => grants.every((grant) => grant.consentId === consentId))
  const what =
    tokens.data && families.data
      ? `${countText(tokens.data.items.length, 'active token', tokens.data.cursor !== undefined)} and ${ending.length} ${ending.length === 1 ? 'family' : 'families'} of refresh tokens`
      : undefined
  return (
    <RevokeDialog
      title="Revoke the consent"
      verb="Revoke"
      name={nameToType(clientName, client)}
      id={client}
      isForeign
      isReady={isKnown(tokens) && isKnown(families)}
      {...revocation}
      onClose={onClose}
      onConfirm={async () => {
        const result = await revocation.run({ consentId, reason })
        if (result) onRevoked(<Outcome of={tokens}>Revoked. {what !== undefined && `${what} ended with it.`}</Outcome>)
        return result
      }}
    >
      <p>
        <PartyName name={clientName} id={client} /> loses these rights at <PartyName name={audienceName} id={audience} /> immediately:
      </p>
      <Rights consent={consent} />
      {what !== undefined && (
        <p>{what} will end, with every token that was derived from them. To act again, the client must ask for a new consent.</p>
      )}
      {valid.length > ending.length && <p>{valid.length - ending.length} other families lose this audience and stay valid for others.</p>}
      <LiveTokens of={tokens} />
      <ReasonChoice value={reason} onChange={setReason} />
    </RevokeDialog>
  )
}
