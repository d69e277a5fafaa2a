import { useState } from 'preact/hooks'
import { useConsole } from '../../../api/console.js'
import { Choice, Field, Tick } from '../../../ui/forms/fields.js'
import { Foreign, Name } from '../../../ui/text.js'
import { Lines } from '../lines.js'
import { audienceOf, type CeilingDraft, nameOfRight, OWN_SCOPES, PRESETS, type Right } from './ceiling-draft.js'

interface EditorProps {
  readonly draft: CeilingDraft
  readonly onChange: (draft: CeilingDraft) => void
}

/** Edits everything that a ceiling has. */
export const CeilingEditor = ({ draft, onChange }: EditorProps) => (
  <>
    <Presets draft={draft} onChange={onChange} />
    <RightsEditor draft={draft} onChange={onChange} />
    <fieldset>
      <legend>Scopes at this registry</legend>
      {OWN_SCOPES.map((scope) => (
        <Tick
          key={scope}
          checked={draft.scopes.includes(scope)}
          onChange={(isChosen) =>
            onChange({ ...draft, scopes: OWN_SCOPES.filter((one) => (one === scope ? isChosen : draft.scopes.includes(one))) })
          }
        >
          <code>{scope}</code>
        </Tick>
      ))}
    </fieldset>
    <NamesEditor what="tool" names={draft.tools} onChange={(tools) => onChange({ ...draft, tools })} />
    <NamesEditor what="resource" names={draft.resources} onChange={(resources) => onChange({ ...draft, resources })} />
    <Field
      label="Token lifetime in seconds"
      name="token-seconds"
      type="number"
      value={`${draft.tokenSeconds}`}
      hint="Maximum lifetime of a token: 1 to 3600."
      onInput={(text) => onChange({ ...draft, tokenSeconds: Number(text) })}
    />
    <Choice
      label="Delegation depth"
      name="depth"
      value={`${draft.delegationDepth}`}
      options={[0, 1, 2, 3, 4, 5].map((depth) => [
        `${depth}`,
        depth === 0 ? 'does not delegate' : `up to ${depth} further ${depth === 1 ? 'agent' : 'agents'} in the chain`,
      ])}
      onChange={(depth) => onChange({ ...draft, delegationDepth: Number(depth) })}
    />
  </>
)

/** Common ceilings. One that names scopes takes those in the field. */
export function Presets({ draft, onChange }: EditorProps) {
  const { viewer } = useConsole()
  const [chosen, choose] = useState('nobody')
  const [text, setText] = useState([...new Set(draft.rights.map(({ scope }) => scope))].join(' '))
  const preset = PRESETS[chosen]
  const apply = (name: string, scopesText: string) => {
    choose(name)
    setText(scopesText)
    const scopes = scopesText.split(/\s+/).filter((scope) => scope !== '')
    const next = PRESETS[name]
    if (next && !(next.needsScopes && scopes.length === 0)) onChange(next.apply(draft, { orgId: viewer.orgId, scopes }))
  }
  return (
    <fieldset>
      <legend>Start from a preset</legend>
      <Choice
        label="Preset"
        name="preset"
        value={chosen}
        options={Object.entries(PRESETS).map(([name, { label }]) => [name, label])}
        onChange={(name) => apply(name, text)}
      />
      {preset?.needsScopes && (
        <Field
          label="Scopes that it may request"
          name="preset-scopes"
          value={text}
          hint="Separated by spaces, such as ocr:read. A scope includes longer ones that continue it after a slash, such as ocr:read/invoices."
          onInput={(typed) => apply(chosen, typed)}
        />
      )}
    </fieldset>
  )
}

function RightsEditor({ draft, onChange }: EditorProps) {
  const { viewer } = useConsole()
  const [audience, setAudience] = useState('')
  const [scope, setScope] = useState('')
  const parsed = audienceOf(audience, viewer.issuer)
  const add = () => {
    if (parsed === undefined) return
    const right = { audience: parsed, scope: scope.trim() }
    onChange({ ...draft, rights: [...draft.rights.filter((one) => nameOfRight(one) !== nameOfRight(right)), right] })
    setScope('')
  }
  return (
    <fieldset>
      <legend>Rights at other audiences</legend>
      {draft.rights.length === 0 ? (
        <p>It cannot call others.</p>
      ) : (
        <Rights of={draft.rights} onRemove={(rights) => onChange({ ...draft, rights })} />
      )}
      <Field
        label="Audience"
        name="audience"
        value={audience}
        hint="The id of an agent (agt_…), the URI of a resource, the id of an organisation (org_…) for all its agents, or any."
        onInput={setAudience}
      />
      <Field label="Scope" name="scope" value={scope} onInput={setScope} />
      <button type="button" class="quiet" disabled={parsed === undefined || scope.trim() === ''} onClick={add}>
        Add the right
      </button>
    </fieldset>
  )
}

/** Rights, each with a button that removes it if `onRemove` is given. */
export const Rights = ({ of, onRemove }: { readonly of: readonly Right[]; readonly onRemove?: (rest: readonly Right[]) => void }) => (
  <ul>
    {of.map((right) => (
      <li key={nameOfRight(right)}>
        <RightText right={right} />{' '}
        {onRemove && (
          <button
            type="button"
            class="quiet small"
            aria-label={`Remove the right ${right.scope}`}
            onClick={() => onRemove(of.filter((one) => one !== right))}
          >
            Remove
          </button>
        )}
      </li>
    ))}
  </ul>
)

/** A right in words. */
export const RightText = ({ right: { audience, scope } }: { readonly right: Right }) => (
  <>
    <Foreign text={scope} /> at <AudienceText audience={audience} />
  </>
)

function AudienceText({ audience }: { readonly audience: Right['audience'] }) {
  const { viewer } = useConsole()
  if (typeof audience === 'string') return <Name id={audience} />
  if ('anyAgent' in audience) return <>any agent of this registry</>
  if (audience.organisation === viewer.orgId) return <>agents of your organisation</>
  return (
    <>
      agents of <code>{audience.organisation}</code>
    </>
  )
}

function NamesEditor({
  what,
  names,
  onChange,
}: {
  readonly what: 'tool' | 'resource'
  readonly names: readonly string[] | undefined
  readonly onChange: (names: readonly string[] | undefined) => void
}) {
  return (
    <fieldset>
      <legend>{what === 'tool' ? 'Tools' : 'Resources'}</legend>
      <Tick checked={names === undefined} onChange={(isAny) => onChange(isAny ? undefined : [])}>
        Any {what}
      </Tick>
      {names !== undefined && (
        <Lines label={`Only these ${what}s`} hint={`One per line. Empty: it may use no ${what}.`} value={names} onChange={onChange} />
      )}
    </fieldset>
  )
}
