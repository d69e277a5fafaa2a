import { useState } from 'preact/hooks'
import type { Bounds } from '../../../src/protocol/rights.js'
import { Exact } from '../exact.js'
import { Foreign, Name } from '../text.js'
import { Tick } from './fields.js'

/** The words of an audience about a scope. */
export type WordsOf = (scope: string) => string | undefined

const NO_WORDS: WordsOf = () => undefined

/** What bounds allow, in full. */
export function BoundsText({ bounds, wordsOf = NO_WORDS }: { readonly bounds: Bounds; readonly wordsOf?: WordsOf }) {
  const { scopes, tools, resources, delegation } = bounds
  return (
    <ul class="bounds">
      <li>
        Scopes: <Names names={scopes} wordsOf={wordsOf} />
      </li>
      {tools && (
        <li>
          Only with these tools: <Names names={tools} />
        </li>
      )}
      {resources && (
        <li>
          Only on these resources: <Names names={resources} />
        </li>
      )}
      {delegation && (
        <li>
          {passingOn(delegation.depth)}:{' '}
          {delegation.rights.map(({ audience, scope }, i) => [
            i > 0 && ', ',
            <span key={`${audience} ${scope}`}>
              <Exact text={scope} /> at <Audience uri={audience} />
            </span>,
          ])}
        </li>
      )}
    </ul>
  )
}

const passingOn = (depth: number): string => `May delegate, up to ${depth} ${depth === 1 ? 'level' : 'levels'}`

function Names({ names, wordsOf = NO_WORDS }: { readonly names: readonly string[]; readonly wordsOf?: WordsOf }) {
  const shown = names.map((name, i) => [
    i > 0 && ', ',
    <span key={name}>
      <Exact text={name} />
      <Words text={wordsOf(name)} />
    </span>,
  ])
  return <>{names.length === 0 ? 'none' : shown}</>
}

const Words = ({ text }: { readonly text: string | undefined }) =>
  text === undefined ? null : (
    <>
      {' '}
      (<Foreign text={text} />)
    </>
  )

/** An audience with its whole URI, and with the name of its agent. */
const Audience = ({ uri }: { readonly uri: string }) => (
  <>
    <Name id={uri} link={false} /> <Exact text={uri} />
  </>
)

/** The bounds that a person has left ticked, as `approvals.approve`, `introductions.narrow` and `consents.narrow` take them. Absent: unchanged. */
interface Kept {
  readonly scopes?: Bounds['scopes']
  readonly tools?: string[]
  readonly resources?: string[]
  readonly delegation?: Bounds['delegation'] | null
}

interface BoundsChoice {
  readonly bounds: Bounds
  readonly unticked: ReadonlySet<string>
  readonly toggle: (key: string, isTicked: boolean) => void
  readonly kept: Kept
  /** The same with what is unchanged, so that exactly what is shown is approved. */
  readonly shown: Kept
  /** False if no scope is left: that is a denial or a revocation, not a narrowing. */
  readonly isValid: boolean
}

type Right = NonNullable<Bounds['delegation']>['rights'][number]
const keyOfRight = ({ audience, scope }: Right): string => `delegation ${audience} ${scope}`

/** A choice among bounds. All are ticked first. */
export function useBoundsChoice(bounds: Bounds): BoundsChoice {
  const [unticked, setUnticked] = useState<ReadonlySet<string>>(new Set())
  const toggle = (key: string, isTicked: boolean) => {
    const next = new Set(unticked)
    if (isTicked) next.delete(key)
    else next.add(key)
    setUnticked(next)
  }
  const kept = keptOf(bounds, unticked)
  return { bounds, unticked, toggle, kept, shown: shownOf(bounds, kept), isValid: kept.scopes === undefined || kept.scopes.length > 0 }
}

/** A request for a capability may name no scopes. */
const shownOf = ({ scopes, tools, resources, delegation }: Bounds, kept: Kept): Kept => ({
  ...(scopes.length > 0 && { scopes }),
  ...(tools && { tools }),
  ...(resources && { resources }),
  ...(delegation && { delegation }),
  ...kept,
})

function keptOf({ scopes, tools, resources, delegation }: Bounds, unticked: ReadonlySet<string>): Kept {
  const left = <T extends string>(kind: string, names: readonly T[] = []) => names.filter((name) => !unticked.has(`${kind} ${name}`))
  const rights = delegation?.rights.filter((right) => !unticked.has(keyOfRight(right))) ?? []
  const [keptScopes, keptTools, keptResources] = [left('scope', scopes), left('tool', tools), left('resource', resources)]
  return {
    ...(keptScopes.length < scopes.length && { scopes: keptScopes }),
    ...(tools && keptTools.length < tools.length && { tools: keptTools }),
    ...(resources && keptResources.length < resources.length && { resources: keptResources }),
    ...(delegation && rights.length < delegation.rights.length && { delegation: rights.length > 0 ? { ...delegation, rights } : null }),
  }
}

/** A box for each right of bounds. The person unticks what is not allowed. */
export function BoundsBoxes({ choice, wordsOf = NO_WORDS }: { readonly choice: BoundsChoice; readonly wordsOf?: WordsOf }) {
  const { scopes, tools, resources, delegation } = choice.bounds
  return (
    <>
      <Boxes legend="Scopes" kind="scope" names={scopes} choice={choice} wordsOf={wordsOf} />
      {tools && <Boxes legend="Only with these tools" kind="tool" names={tools} choice={choice} />}
      {resources && <Boxes legend="Only on these resources" kind="resource" names={resources} choice={choice} />}
      {delegation && (
        <fieldset>
          <legend>{passingOn(delegation.depth)}</legend>
          {delegation.rights.map((right) => (
            <Tick
              key={keyOfRight(right)}
              checked={!choice.unticked.has(keyOfRight(right))}
              onChange={(isTicked) => choice.toggle(keyOfRight(right), isTicked)}
            >
              <Exact text={right.scope} /> at <Audience uri={right.audience} />
            </Tick>
          ))}
        </fieldset>
      )}
    </>
  )
}

interface BoxesProps {
  readonly legend: string
  readonly kind: 'scope' | 'tool' | 'resource'
  readonly names: readonly string[]
  readonly choice: BoundsChoice
  readonly wordsOf?: WordsOf
}

const Boxes = ({ legend, kind, names, choice, wordsOf = NO_WORDS }: BoxesProps) => (
  <fieldset>
    <legend>{legend}</legend>
    {names.length === 0 && <p>None</p>}
    {names.map((name) => (
      <Tick
        key={name}
        checked={!choice.unticked.has(`${kind} ${name}`)}
        onChange={(isTicked) => choice.toggle(`${kind} ${name}`, isTicked)}
      >
        <Exact text={name} />
        <Words text={wordsOf(name)} />
      </Tick>
    ))}
  </fieldset>
)
