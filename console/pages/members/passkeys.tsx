import { useAction } from '../../api/use-action.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { RevokeButton, shortId } from '../../ui/dialogs/revoke-button.js'
import { useDone } from '../../ui/done.js'
import { Items } from '../../ui/items.js'
import { Code, Time } from '../../ui/text.js'

/** The passkeys with which a member signs in. */
export function Passkeys({ memberId, isOwn }: { readonly memberId: string; readonly isOwn: boolean }) {
  const list = useWholeList('passkeys.list', { memberId })
  const revoke = useAction('passkeys.revoke', ['passkeys', 'sessions', 'consents'])
  const [done, say] = useDone()
  const add = isOwn && (
    <p>
      <a href="/you">Add a passkey</a>
    </p>
  )
  return (
    <>
      {done}
      <Items
        list={list}
        idOf={({ passkeyId }) => passkeyId}
        item={({ passkeyId, createdAt, usedAt }) => (
          <>
            <Code>{passkeyId}</Code>
            <p class="hint">
              created <Time at={createdAt} />, last used <Time at={usedAt} />
            </p>
            <RevokeButton
              label={`Revoke the passkey ${passkeyId}`}
              title="Revoke the passkey"
              name={shortId(passkeyId)}
              id={passkeyId}
              action={revoke}
              revoke={(because) => revoke.run({ passkeyId, ...because })}
              onDone={() => say(`The passkey ${shortId(passkeyId)}… is revoked, with the sessions and consents that came from it.`)}
            >
              <p>The sessions that it opened end, and the consents that were given in them.</p>
            </RevokeButton>
          </>
        )}
        empty={<p>No passkey.{isOwn && ' Add one to sign in without the command line.'}</p>}
      />
      {add}
    </>
  )
}
