import { useState } from 'preact/hooks'
import type { Item } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { ErrorNote, Loading } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Code, Foreign, State, Time } from '../../ui/text.js'

type Family = Item<'families.list'>

/** The families of refresh tokens under a consent. With one, a client gets new tokens while the person is away. */
export function Families({ consentId }: { readonly consentId: string }) {
  const list = useList('families.list', { consentId }, ({ familyId }) => familyId)
  const [chosen, choose] = useState<Family | undefined>()
  const revocation = useAction('families.revoke', ['families', 'tokens', 'consents'])
  return (
    <Section title="Families of refresh tokens">
      <ErrorNote error={list.error} />
      {list.items.length === 0 && (list.isLoading ? <Loading /> : <p>None: the client can act only until its current tokens expire.</p>)}
      <ul class="items">
        {list.items.map((family) => (
          <li key={family.familyId}>
            <Code>{family.familyId}</Code> <State state={family.state} />
            <p class="hint">
              since <Time at={family.createdAt} />, until <Time at={family.until} />, last used <Time at={family.lastUsedAt} />
            </p>
            {family.grants.map((grant) => (
              <div key={grant.audience}>
                {grant.scopes.map((scope) => (
                  <span key={scope}>
                    <Foreign text={scope} />{' '}
                  </span>
                ))}
                at <Code>{grant.audience}</Code>
              </div>
            ))}
            {family.state === 'valid' && (
              <button type="button" class="danger small" aria-label={`Revoke the family ${family.familyId}`} onClick={() => choose(family)}>
                Revoke
              </button>
            )}
          </li>
        ))}
      </ul>
      {list.hasMore && (
        <button type="button" class="quiet" onClick={list.readMore}>
          Show older families
        </button>
      )}
      {chosen && (
        <RevokeDialog
          title="Revoke the family of refresh tokens"
          verb="Revoke"
          name={chosen.familyId}
          {...revocation}
          onClose={() => choose(undefined)}
          onConfirm={() => revocation.run({ familyId: chosen.familyId, reason: 'user_request' })}
        >
          <p>
            This revokes its refresh token and every token that was issued with it. The consent stays valid: with it, the client can ask for
            a new family.
          </p>
        </RevokeDialog>
      )}
    </Section>
  )
}
