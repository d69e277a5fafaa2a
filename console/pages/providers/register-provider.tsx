import { useState } from 'preact/hooks'
import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { Field } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'
import { Code } from '../../ui/text.js'

const EMPTY = { url: '', clientId: '', claim: '', value: '' }

/** Registers an OpenID Provider. Its redirect URI exists only afterwards. */
export function RegisterProvider({ say }: { readonly say: (text: string) => void }) {
  const { issuer } = useConsole().viewer
  const [fields, setFields] = useState(EMPTY)
  const register = useAction('issuers.register', ['issuers'])
  const set = (name: keyof typeof EMPTY) => (value: string) => setFields((old) => ({ ...old, [name]: value }))
  const submit = async (event: Event) => {
    event.preventDefault()
    const { url, clientId, claim, value } = fields
    const registered = await register.run({ url, clientId, ...((claim !== '' || value !== '') && { autoJoin: { claim, value } }) })
    if (!registered) return
    setFields(EMPTY)
    say(`Registered. Now set the redirect URI at the provider: ${registered.redirectUri}`)
  }
  return (
    <form onSubmit={submit}>
      <p>
        First create a confidential client at the provider with the authorization code flow, the client authentication{' '}
        <Code>private_key_jwt</Code> and the keys at <Code>{`${issuer}/.well-known/jwks.json`}</Code>. The redirect URI is shown here once
        the provider is registered.
      </p>
      <Field
        label="Issuer URL"
        name="url"
        required
        value={fields.url}
        onInput={set('url')}
        hint="Such as https://login.example.com. The registry reads its metadata."
      />
      <Field label="Client id at the provider" name="clientId" required value={fields.clientId} onInput={set('clientId')} />
      <fieldset>
        <legend>Who joins without an invitation</legend>
        <p class="hint">People whose ID token has this claim with this value join with the role person. Empty: nobody joins.</p>
        <Field label="Claim" name="claim" value={fields.claim} onInput={set('claim')} />
        <Field label="Value" name="value" value={fields.value} onInput={set('value')} />
      </fieldset>
      <ErrorNote error={register.error} />
      <button type="submit" disabled={register.isRunning}>
        Register the provider
      </button>
    </form>
  )
}
