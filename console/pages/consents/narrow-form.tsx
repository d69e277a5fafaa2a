import { useState } from 'preact/hooks'
import { useAction } from '../../api/use-action.js'
import { Field, Tick } from '../../ui/forms/fields.js'
import { dayText, secondsOf } from '../../ui/forms/local-time.js'
import { ErrorNote } from '../../ui/notes.js'
import { Section } from '../../ui/page.js'
import { Foreign } from '../../ui/text.js'
import { type Consent, nameOfRight, Words } from './rights.js'

interface NarrowFormProps {
  readonly consent: Consent
  readonly onNarrowed: (what: string) => void
}

/** Unticks what the client may no longer do, or sets an earlier end. What was given up comes back only if the person consents again. */
export function NarrowForm({ consent, onNarrowed }: NarrowFormProps) {
  const { consentId, rights, words = {}, tools = [], resources = [], delegation, until } = consent
  const narrowing = useAction('consents.narrow', ['consents', 'families', 'tokens'])
  const [gone, setGone] = useState<ReadonlySet<string>>(new Set())
  const [lastDay, setLastDay] = useState(dayText(until))
  const passedOn = delegation?.rights ?? []
  const kept = <T,>(kind: string, items: readonly T[], nameOf: (item: T) => string): T[] =>
    items.filter((item) => !gone.has(`${kind} ${nameOf(item)}`))
  const scopes = kept(
    'scope',
    rights.map(({ scope }) => scope),
    String,
  )
  const earlier = lastDay === dayText(until) ? undefined : secondsOf(lastDay)
  const isChanged = gone.size > 0 || (earlier !== undefined && earlier < until)
  const boxes = { gone, setGone }
  const narrow = async (event: Event) => {
    event.preventDefault()
    const keptRights = kept('passOn', passedOn, nameOfRight)
    const result = await narrowing.run({
      consentId,
      ...(scopes.length < rights.length && { scopes }),
      ...(consent.tools && { tools: kept('tool', tools, String) }),
      ...(consent.resources && { resources: kept('resource', resources, String) }),
      ...(delegation &&
        keptRights.length < passedOn.length && { delegation: keptRights.length === 0 ? null : { ...delegation, rights: keptRights } }),
      ...(earlier !== undefined && earlier < until && { until: earlier }),
    })
    if (result) onNarrowed('Narrowed. The tokens that were issued under it before have ended.')
  }
  return (
    <Section title="Allow less">
      <form onSubmit={narrow}>
        <Boxes {...boxes} legend="Scopes" kind="scope" names={rights.map(({ scope }) => scope)} words={words} />
        <Boxes {...boxes} legend="Only with these tools" kind="tool" names={tools} />
        <Boxes {...boxes} legend="Only on these resources" kind="resource" names={resources} />
        <Boxes {...boxes} legend="May delegate" kind="passOn" names={passedOn.map(nameOfRight)} />
        <Field label="Last day" name="until" type="date" value={lastDay} onInput={setLastDay} />
        <p class="hint">
          This revokes the current tokens and those that were derived from them. The client can request new ones for what stays ticked. To
          restore what you untick, you must consent again.
        </p>
        {scopes.length === 0 && <p class="hint">Leave at least one scope ticked. To allow nothing, revoke the consent.</p>}
        <ErrorNote error={narrowing.error} />
        <button type="submit" disabled={!isChanged || scopes.length === 0 || narrowing.isRunning}>
          Keep only what is ticked
        </button>
      </form>
    </Section>
  )
}

interface BoxesProps {
  readonly legend: string
  readonly kind: string
  readonly names: readonly string[]
  readonly words?: Readonly<Record<string, string>>
  /** The unticked names, each after its kind. */
  readonly gone: ReadonlySet<string>
  readonly setGone: (gone: ReadonlySet<string>) => void
}

function Boxes({ legend, kind, names, words = {}, gone, setGone }: BoxesProps) {
  if (names.length === 0) return null
  const set = (name: string, isKept: boolean) => {
    const others = [...gone].filter((one) => one !== `${kind} ${name}`)
    setGone(new Set(isKept ? others : [...others, `${kind} ${name}`]))
  }
  return (
    <fieldset>
      <legend>{legend}</legend>
      {names.map((name) => (
        <Tick key={name} checked={!gone.has(`${kind} ${name}`)} onChange={(isKept) => set(name, isKept)}>
          <Foreign text={name} /> <Words text={words[name]} />
        </Tick>
      ))}
    </fieldset>
  )
}
