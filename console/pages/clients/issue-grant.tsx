import { useState } from 'preact/hooks'
import type { Input, Output } from '../../api/procedures.js'
import { useAction } from '../../api/use-action.js'
import { Field, Tick } from '../../ui/forms/fields.js'
import { localText, secondsOf } from '../../ui/forms/local-time.js'
import { ErrorNote } from '../../ui/notes.js'

type GrantType = Input<'registrations.issue'>['grantTypes'][number]

const DAY_SECONDS = 86_400

const GRANT_TYPES: readonly (readonly [GrantType, string])[] = [
  ['client_credentials', 'Act as an agent of your organisation'],
  ['urn:ietf:params:oauth:grant-type:token-exchange', 'Exchange tokens to call other agents'],
  ['authorization_code', 'Act for people who consent in the browser'],
  ['refresh_token', 'Continue while the person is away'],
]

/** Issues a registration grant with the default ceiling. */
export function IssueGrant({ onIssued }: { readonly onIssued: (issued: Output<'registrations.issue'>) => void }) {
  const issuing = useAction('registrations.issue', ['registrations'])
  const [types, setTypes] = useState<readonly GrantType[]>(['client_credentials'])
  const [uses, setUses] = useState('1')
  const [hosts, setHosts] = useState('')
  const [until, setUntil] = useState(() => localText(Date.now() / 1000 + DAY_SECONDS))
  const issue = async (event: Event) => {
    event.preventDefault()
    const redirectHosts = hosts.split(/[\s,]+/).filter((host) => host !== '')
    const issued = await issuing.run({
      grantTypes: [...types],
      uses: Number(uses),
      expiresAt: secondsOf(until) ?? 0,
      ...(redirectHosts.length > 0 && { redirectHosts }),
    })
    if (issued) onIssued(issued)
  }
  return (
    <form onSubmit={issue}>
      <fieldset>
        <legend>What the clients may do</legend>
        {GRANT_TYPES.map(([type, words]) => (
          <Tick
            key={type}
            checked={types.includes(type)}
            onChange={(isOn) => setTypes(isOn ? [...types, type] : types.filter((one) => one !== type))}
          >
            {words} <code>{type}</code>
          </Tick>
        ))}
      </fieldset>
      <Field
        label="Uses"
        name="uses"
        type="number"
        required
        value={uses}
        onInput={setUses}
        hint="How many clients the token registers, 1 to 1000."
      />
      <Field
        label="Expires"
        name="expiresAt"
        type="datetime-local"
        required
        value={until}
        onInput={setUntil}
        hint="In your time zone, at most 30 days from now."
      />
      <Field
        label="Hosts of redirect URIs"
        name="redirectHosts"
        value={hosts}
        onInput={setHosts}
        hint="Separated by spaces, such as app.example. Empty: every host."
      />
      <p class="hint">An agent that is registered gets the default ceiling. Widen it on the page of the agent.</p>
      <ErrorNote error={issuing.error} />
      <button type="submit" disabled={types.length === 0 || issuing.isRunning}>
        Issue
      </button>
    </form>
  )
}
