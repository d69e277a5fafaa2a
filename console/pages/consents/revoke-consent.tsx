import { useState } from 'preact/hooks'
import { useAction } from '../../api/use-action.js'
import { useQuery } from '../../api/use-query.js'
import { nameToType } from '../../ui/dialogs/confirm-name.js'
import { countText } from '../../ui/dialogs/counted.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { isKnown } from '../introductions/live-tokens.js'
import { type Consent, Rights } from './consent.js'
import { PartyName } from './consents.js'

interface RevokeConsentProps {
  readonly consent: Consent
  readonly onRevoked: (what: string) => void
}

/** Revokes a consent. The dialogue says which tokens and families of refresh tokens end. */
export function RevokeConsent({ consent, onRevoked }: RevokeConsentProps) {
  const { consentId, client, clientName } = consent
  const [isAsking, setAsking] = useState(false)
  const revocation = useAction('consents.revoke', ['consents', 'families', 'tokens'])
  const input = isAsking ? { consent: consentId, alive: true, limit: 100 } : undefined
  const tokens = useQuery('tokens.list', input)
  const families = useQuery('families.list', isAsking ? { consentId, limit: 100 } : undefined)
  const valid = families.data?.items.filter(({ state }) => state === 'valid') ?? []
  // Those with another consent go on without this one
  const ending = valid.filter(({ grants }) => grants.every((grant) => grant.consentId === consentId))
  const tokensText = countText(tokens.data?.items.length ?? 0, 'active token', tokens.data?.cursor !== undefined)
  const familiesText = `${ending.length} ${ending.length === 1 ? 'family' : 'families'} of refresh tokens`
  return (
    <p>
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        Revoke the consent
      </button>
      {isAsking && (
        <RevokeDialog
          title="Revoke the consent"
          verb="Revoke"
          name={nameToType(clientName, client)}
          id={client}
          isForeign
          isReady={isKnown(tokens) && isKnown(families)}
          {...revocation}
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            const result = await revocation.run({ consentId, reason: 'user_request' })
            if (result) onRevoked(`Revoked. ${tokensText} and ${familiesText} ended with it.`)
            return result
          }}
        >
          <p>
            <PartyName name={clientName} id={client} /> loses these rights at once:
          </p>
          <Rights consent={consent} />
          <p>
            {tokensText} and {familiesText} will end, with every token that was derived from them. To act again, the client must ask for a
            new consent.
          </p>
          {valid.length > ending.length && (
            <p>{valid.length - ending.length} other families lose this audience and stay valid for others.</p>
          )}
        </RevokeDialog>
      )}
    </p>
  )
}
