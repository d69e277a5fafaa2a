import { useState } from 'preact/hooks'
import type { Item } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { RevokeDialog } from '../../ui/dialogs/dialog.js'
import { RevokeButton, shortId } from '../../ui/dialogs/revoke-button.js'
import { useDone } from '../../ui/done.js'
import { Field } from '../../ui/forms/fields.js'
import { secondsOf } from '../../ui/forms/local-time.js'
import { Items } from '../../ui/items.js'
import { Code, Command, State, Time } from '../../ui/text.js'

type Key = Item<'keys.list'>

/** The keys with which a member uses the command line. */
export function Keys({ memberId, isOwn }: { readonly memberId: string; readonly isOwn: boolean }) {
  const list = useWholeList('keys.list', { owner: memberId })
  const [done, say] = useDone()
  return (
    <>
      {done}
      <Items
        list={list}
        idOf={({ keyId }) => keyId}
        item={(key) => <KeyItem of={key} say={say} />}
        empty={
          <>
            <p>No key: {isOwn ? 'you sign in' : 'the member signs in'} with a browser only. A code for a key of the command line:</p>
            <Command text={`credence key code ${memberId}`} />
          </>
        }
      />
      {list.items.length > 0 && (
        <details>
          <summary>Lost key</summary>
          <p>
            {isOwn ? 'An administrator, or you with another key, creates' : 'Create'} a one-time code. A browser session cannot do this,
            because the key would outlive it. With the code the member registers a key on another machine, and the lost key is revoked:
          </p>
          <Command text={`credence key code ${memberId} --revoke-others`} />
        </details>
      )}
    </>
  )
}

function KeyItem({ of: key, say }: { readonly of: Key; readonly say: (text: string) => void }) {
  const { keyId, jkt, alg, state, registeredAt, registeredBy, retiresAt } = key
  const revoke = useAction('keys.revoke', ['keys', 'sessions', 'members'])
  const retire = useAction('keys.retire', ['keys'])
  return (
    <>
      <Code>{keyId}</Code> <State state={state} />
      <p class="hint">
        {alg}, thumbprint <Code>{jkt}</Code>, registered <Time at={registeredAt} /> by <Code>{registeredBy}</Code>
        {retiresAt !== undefined && (
          <>
            , not accepted from <Time at={retiresAt} />
          </>
        )}
      </p>
      {state === 'active' && (
        <RevokeButton
          label={`Retire the key ${keyId}`}
          verb="Retire"
          title="Retire the key"
          name={shortId(keyId)}
          id={keyId}
          hasReason={false}
          action={retire}
          revoke={() => retire.run({ keyId })}
          onDone={() => say(`The key ${shortId(keyId)}… is retired. Tokens that were issued with it stay valid until they expire.`)}
        >
          <p>The key is accepted for one more hour. Tokens that were issued with it stay valid until they expire.</p>
        </RevokeButton>
      )}
      {state !== 'revoked' && (
        <>
          <RevokeButton
            label={`Revoke the key ${keyId}`}
            title="Revoke the key"
            name={shortId(keyId)}
            id={keyId}
            action={revoke}
            revoke={(because) => revoke.run({ keyId, ...because })}
            onDone={() => say(`The key ${shortId(keyId)}… is revoked, with every token that it authenticated.`)}
          >
            <p>Every token that the key authenticated ends, and every browser session that was opened with it.</p>
            <p>With the reason “compromised”, the unused codes of its owner become invalid too.</p>
          </RevokeButton>
          <Stolen keyId={keyId} say={say} />
        </>
      )}
    </>
  )
}

/** Declares a key stolen: also what it has granted since then ends. */
function Stolen({ keyId, say }: { readonly keyId: string; readonly say: (text: string) => void }) {
  const [isOpen, open] = useState(false)
  const [since, setSince] = useState('')
  const compromise = useAction('keys.compromise', ['keys', 'sessions', 'members', 'agents'])
  const confirm = async () => {
    const result = await compromise.run({ keyId, since: secondsOf(since) ?? 0 })
    if (result !== undefined) say(`The key ${shortId(keyId)}… and everything that it has granted since then are revoked.`)
    return result
  }
  return (
    <>
      <button type="button" class="danger small" aria-label={`Declare the key ${keyId} stolen`} onClick={() => open(true)}>
        Stolen
      </button>
      {isOpen && (
        <RevokeDialog
          title="Declare the key stolen"
          verb="Revoke what it granted"
          name={shortId(keyId)}
          id={keyId}
          error={compromise.error}
          isRunning={compromise.isRunning}
          onConfirm={confirm}
          onClose={() => open(false)}
        >
          <p>
            The key ends with every token that it authenticated. Everything that was granted with it since the theft ends too: agents, keys,
            introductions, consents and invitations. The key is never accepted again.
          </p>
          <Field
            label="Stolen since"
            name="since"
            type="datetime-local"
            hint="In your time zone. Empty: since its registration."
            value={since}
            onInput={setSince}
          />
        </RevokeDialog>
      )}
    </>
  )
}
