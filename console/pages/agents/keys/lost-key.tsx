import { useState } from 'preact/hooks'
import { useConsole } from '../../../api/console.js'
import type { Output } from '../../../api/procedures.js'
import { useAction } from '../../../api/use-action.js'
import { Done } from '../../../ui/done.js'
import { Tick } from '../../../ui/forms/fields.js'
import { ErrorNote } from '../../../ui/notes.js'
import { Command, Time } from '../../../ui/text.js'
import { type AgentView, profileNameOf } from '../abilities.js'

/** A one-time code with which the agent registers a further key, on a second machine or in place of a lost one. */
export function LostKey({ agent: { agentId, name } }: { readonly agent: AgentView }) {
  const { viewer } = useConsole()
  const issue = useAction('keys.issueCode', [])
  const withdraw = useAction('keys.withdrawCodes', [])
  const [revokeOthers, setRevokeOthers] = useState(true)
  const [issued, setIssued] = useState<Output<'keys.issueCode'> | undefined>()
  const [isWithdrawn, setWithdrawn] = useState(false)
  const submit = async (event: Event) => {
    event.preventDefault()
    setWithdrawn(false)
    setIssued(await issue.run({ clientId: agentId, revokeOthers }))
  }
  const withdrawAll = async () => {
    if ((await withdraw.run({ clientId: agentId })) === undefined) return
    setIssued(undefined)
    setWithdrawn(true)
  }
  return (
    <section aria-label="A lost key, or a second machine">
      <h3>A lost key, or a second machine</h3>
      <p>A one-time code lets the agent register a new key, which is generated on its machine. The code is valid for 24 hours.</p>
      <form onSubmit={submit}>
        <Tick checked={revokeOthers} onChange={setRevokeOthers}>
          Replace all other keys: redeeming the code revokes them and the tokens that were issued with them
        </Tick>
        <ErrorNote error={issue.error ?? withdraw.error} />
        <button type="submit" disabled={issue.isRunning}>
          Issue a code
        </button>
        <button type="button" class="quiet" disabled={withdraw.isRunning} onClick={withdrawAll}>
          Invalidate unused codes
        </button>
      </form>
      <Done>{isWithdrawn && 'All unused codes of the agent are now invalid.'}</Done>
      {issued && (
        <div aria-live="polite">
          <p>
            Run this on the machine of the agent. It asks for the code, which works once, until <Time at={issued.expiresAt} />:
          </p>
          <Command text={`credence login --registry ${viewer.issuer} --profile ${profileNameOf(name)}`} />
          <p>
            <strong>The code is shown only once:</strong>
          </p>
          <Command text={issued.code} />
        </div>
      )}
    </section>
  )
}
