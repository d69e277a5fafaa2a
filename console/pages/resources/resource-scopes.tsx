import { Code, Foreign } from '../../ui/text.js'
import type { Resource } from './resource.js'

/** The scopes, in the words of the resource. */
export function ResourceScopes({ resource: { scopes } }: { readonly resource: Resource }) {
  return (
    <ul class="items">
      {scopes.map(({ scope, words, seconds, cost = 0, approval }) => (
        <li key={scope}>
          <Code>{scope}</Code> <Foreign text={words} />
          <p class="hint">
            tokens are valid for {seconds} s{cost > 0 && `, a call costs ${cost} units`}
            {approval === 'organisation' && ', a member approves each token'}
          </p>
        </li>
      ))}
    </ul>
  )
}
