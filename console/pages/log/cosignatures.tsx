import { useState } from 'preact/hooks'
import { findCosignature, readVerifierKey } from '../../../src/credentials/cosignature.js'
import { COSIGNER_KEY, parseNote } from '../../../src/credentials/signed-note.js'
import { Field } from '../../ui/forms/fields.js'
import { Section } from '../../ui/page.js'
import { Code, Time } from '../../ui/text.js'

/** The signatures of witnesses on the checkpoint, and a form that checks one with the key of a witness that the viewer trusts. */
export function Cosignatures({ note }: { readonly note: string }) {
  const [key, setKey] = useState('')
  const [result, setResult] = useState<{ readonly text: string; readonly at?: number }>()
  const parsed = parseNote(note)
  const origin = parsed?.text.split('\n')[0]
  const names = [...new Set(parsed?.signatures.map(({ name }) => name).filter((name) => name !== origin))]
  const check = async (event: Event) => {
    event.preventDefault()
    const read = readVerifierKey(key.trim(), COSIGNER_KEY)
    if (typeof read === 'string') return setResult({ text: `wrong: the key ${read}` })
    const found = await findCosignature(note, read)
    setResult(
      found
        ? { text: `proved: ${found.name} cosigned this checkpoint`, at: found.at }
        : { text: `wrong: no valid cosignature of ${read.name}` },
    )
  }
  return (
    <Section title="Cosignatures of witnesses">
      {names.length === 0 ? (
        <p class="hint">No witness has cosigned this checkpoint. An operator configures witnesses with --cosigner.</p>
      ) : (
        <>
          <ul>
            {names.map((name) => (
              <li key={name}>
                <Code>{name}</Code>
              </li>
            ))}
          </ul>
          <form onSubmit={check}>
            <Field
              label="Verifier key of a witness"
              name="key"
              hint="Get it from the witness itself, not from this registry: <name>+<8 hex digits>+<base64>"
              value={key}
              onInput={setKey}
              required
            />
            <button type="submit">Check its cosignature</button>
          </form>
        </>
      )}
      <output>
        {result?.text} {result?.at !== undefined && <Time at={result.at} />}
      </output>
    </Section>
  )
}
