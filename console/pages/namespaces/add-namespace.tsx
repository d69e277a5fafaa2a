import { useState } from 'preact/hooks'
import { useAction } from '../../api/use-action.js'
import { Field } from '../../ui/forms/fields.js'
import { ErrorNote } from '../../ui/notes.js'

/** Claims a name. What proves it is then shown at the name. */
export function AddNamespace({ say }: { readonly say: (text: string) => void }) {
  const [name, setName] = useState('')
  const add = useAction('namespaces.add', ['namespaces'])
  const submit = async (event: Event) => {
    event.preventDefault()
    const added = await add.run({ name: name.trim() })
    if (!added) return
    setName('')
    say(`${added.name} is claimed. Publish one of the two proofs, then check it. The claim is dropped after 7 days.`)
  }
  return (
    <form onSubmit={submit}>
      <Field
        label="DNS name"
        name="name"
        required
        value={name}
        onInput={setName}
        hint="Such as agents.acme.com, without scheme and path."
      />
      <ErrorNote error={add.error} />
      <button type="submit" disabled={add.isRunning}>
        Add
      </button>
    </form>
  )
}
