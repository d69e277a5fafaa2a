import { refuse } from '../../errors.js'
import type { OAuthForm } from '../../http/form.js'
import { Foreign } from '../../http/pages/foreign.js'
import type { Bounds, Right, Scope } from '../../protocol/rights.js'
import type { Narrowing } from '../introductions/decide/narrow.js'

/** The fields of `BoundsBoxes`: each has a value per ticked box. */
export const BOUNDS_FIELDS = ['scope', 'tool', 'resource', 'passOn'] as const

type WordsOf = (scope: Scope) => string | undefined

/** A ticked box for each right of `bounds`. The person unticks the rights that they do not allow. */
export function BoundsBoxes({ bounds, wordsOf }: { readonly bounds: Bounds; readonly wordsOf: WordsOf }) {
  const { scopes, tools, resources, delegation } = bounds
  return (
    <>
      <Boxes legend="Scopes" name="scope" values={scopes} wordsOf={wordsOf} />
      {tools && <Boxes legend="Only with these tools" name="tool" values={tools} />}
      {resources && <Boxes legend="Only on these resources" name="resource" values={resources} />}
      {delegation && (
        <Boxes
          legend={`May delegate, up to ${delegation.depth} ${delegation.depth === 1 ? 'level' : 'levels'}`}
          name="passOn"
          values={delegation.rights.map(valueOfRight)}
        />
      )}
    </>
  )
}

interface BoxesProps {
  readonly legend: string
  readonly name: (typeof BOUNDS_FIELDS)[number]
  readonly values: readonly string[]
  readonly wordsOf?: WordsOf
}

function Boxes({ legend, name, values, wordsOf = () => undefined }: BoxesProps) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {values.length === 0 && <p>None</p>}
      {values.map((value) => {
        const words = wordsOf(value as Scope) // only the boxes of scopes have words
        return (
          <label key={value} class="choice">
            <input type="checkbox" name={name} value={value} checked />
            <span>
              <Foreign text={value} /> {words && <Foreign text={words} />}
            </span>
          </label>
        )
      })}
    </fieldset>
  )
}

/** The rights of `bounds` as text, for a page that changes nothing. */
export function BoundsText({ bounds: { scopes, tools, resources, delegation }, wordsOf }: Parameters<typeof BoundsBoxes>[0]) {
  return (
    <ul>
      {scopes.map((scope) => {
        const words = wordsOf(scope)
        return (
          <li key={scope}>
            <Foreign text={scope} /> {words && <Foreign text={words} />}
          </li>
        )
      })}
      {tools && <NamesItem text="Only with these tools:" names={tools} />}
      {resources && <NamesItem text="Only on these resources:" names={resources} />}
      {delegation && <NamesItem text="May delegate:" names={delegation.rights.map(valueOfRight)} />}
    </ul>
  )
}

function NamesItem({ text, names }: { readonly text: string; readonly names: readonly string[] }) {
  return (
    <li>
      {text}{' '}
      {names.length === 0
        ? 'none'
        : names.map((name) => (
            <span key={name}>
              <Foreign text={name} />{' '}
            </span>
          ))}
    </li>
  )
}

const valueOfRight = ({ audience, scope }: Right): string => `${scope} at ${audience}`

/** The parts of `bounds` that the person has narrowed, with the values that stay ticked. Refuses a form without a scope. */
export function narrowingIn(form: OAuthForm, { scopes, tools, resources, delegation }: Bounds): Omit<Narrowing, 'seconds'> {
  const keptScopes = keptIn(form, 'scope', scopes)
  if (keptScopes.length === 0) refuse('bad_input', 'scope: leave at least one scope ticked; to allow nothing, go back and revoke or deny')
  const keptTools = keptIn(form, 'tool', tools ?? [])
  const keptResources = keptIn(form, 'resource', resources ?? [])
  const rights = delegation?.rights ?? []
  const keptNames = keptIn(form, 'passOn', rights.map(valueOfRight))
  const keptRights = rights.filter((right) => keptNames.includes(valueOfRight(right)))
  return {
    ...(keptScopes.length < scopes.length && { scopes: keptScopes }),
    ...(tools && keptTools.length < tools.length && { tools: keptTools }),
    ...(resources && keptResources.length < resources.length && { resources: keptResources }),
    ...(delegation &&
      keptRights.length < rights.length && { delegation: keptRights.length > 0 ? { ...delegation, rights: keptRights } : null }),
  }
}

/** The values whose boxes were ticked. Refuses a value that has no box: the rights were changed since the page was shown. */
function keptIn<T extends string>(form: OAuthForm, name: (typeof BOUNDS_FIELDS)[number], values: readonly T[]): readonly T[] {
  const ticked = new Set(form.getAll(name))
  for (const one of ticked)
    if (!values.some((value) => value === one))
      refuse('bad_input', `${name}: the rights have changed; go back, reload the page and try again`)
  return values.filter((value) => ticked.has(value))
}
