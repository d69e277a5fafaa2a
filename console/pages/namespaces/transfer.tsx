import { useState } from 'preact/hooks'
import { useAction } from '../../api/use-action.js'
import { Dialog } from '../../ui/dialogs/dialog.js'
import { Field } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'
import type { Namespace } from './namespace-item.js'

/** Offers a namespace to another organisation, or withdraws the offer. */
export function Transfer({ of: { name, offeredTo }, say }: { readonly of: Namespace; readonly say: (text: string) => void }) {
  const [isOpen, open] = useState(false)
  const [to, setTo] = useState('')
  const transfer = useAction('namespaces.transfer', ['namespaces'])
  if (offeredTo !== undefined) {
    const withdraw = async () => {
      if (await transfer.run({ name })) say(`${name} is no longer offered.`)
    }
    return (
      <>
        <ErrorNote error={transfer.error} />
        <button
          type="button"
          class="quiet small"
          aria-label={`Withdraw the offer of ${name}`}
          disabled={transfer.isRunning}
          onClick={withdraw}
        >
          Withdraw the offer
        </button>
      </>
    )
  }
  const offer = async (event: Event) => {
    event.preventDefault()
    if (!(await transfer.run({ name, to }))) return
    open(false)
    say(`${name} is offered to ${to} for 30 days.`)
  }
  return (
    <>
      <button type="button" class="quiet small" aria-label={`Transfer ${name}`} onClick={() => open(true)}>
        Transfer
      </button>
      {isOpen && (
        <Dialog title="Offer the namespace to another organisation" onClose={() => open(false)}>
          <p>
            Nothing changes until the other organisation adds the name and proves it, within 30 days. Then your proof ends, and the verdict
            of the cards that it verified drops to signed.
          </p>
          <form onSubmit={offer}>
            <Field label="Id of the organisation" name="to" required value={to} onInput={setTo} hint="It begins with org_." />
            <ErrorNote error={transfer.error} />
            <button type="submit" disabled={transfer.isRunning}>
              Offer
            </button>
            <button type="button" class="quiet" onClick={() => open(false)}>
              Cancel
            </button>
          </form>
        </Dialog>
      )}
    </>
  )
}
