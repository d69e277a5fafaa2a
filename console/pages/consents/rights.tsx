import type { Output } from '../../api/procedures.js'
import { Foreign } from '../../ui/text.js'

export type Consent = Output<'consents.get'>

/** The rights in the words of the audience, where it has any. */
export function Rights({ consent: { rights, words = {}, tools, resources, delegation } }: { readonly consent: Consent }) {
  return (
    <ul>
      {rights.map(({ scope }) => (
        <li key={scope}>
          <Foreign text={scope} /> <Words text={words[scope]} />
        </li>
      ))}
      {tools && <NamesItem text="Only with these tools:" names={tools} />}
      {resources && <NamesItem text="Only on these resources:" names={resources} />}
      {delegation ? (
        <NamesItem
          text={`May delegate, up to ${delegation.depth} ${delegation.depth === 1 ? 'level' : 'levels'}:`}
          names={delegation.rights.map(nameOfRight)}
        />
      ) : (
        <li>May not delegate to other agents</li>
      )}
    </ul>
  )
}

export const Words = ({ text }: { readonly text: string | undefined }) => (text === undefined ? null : <Foreign text={text} />)

export const nameOfRight = ({ audience, scope }: { readonly audience: string; readonly scope: string }): string => `${scope} at ${audience}`

const NamesItem = ({ text, names }: { readonly text: string; readonly names: readonly string[] }) => (
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
