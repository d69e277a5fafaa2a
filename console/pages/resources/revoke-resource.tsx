import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { counted } from '../../ui/counted.js'
import { RevokeButton } from '../../ui/revoke-button.js'
import type { Resource } from './resource.js'

/** Revokes a resource, with every introduction to it and every token for it. */
export function RevokeResource({ resource }: { readonly resource: Resource }) {
  const { resourceId, name } = resource
  const revoke = useAction('resources.revoke', ['resources', 'introductions', 'tokens'])
  return (
    <RevokeButton
      label="Revoke the resource"
      verb="Revoke the resource"
      title="Revoke the resource"
      name={name}
      action={revoke}
      revoke={(because) => revoke.run({ resourceId, ...because })}
    >
      <p>With the resource ends:</p>
      <Endings resource={resource} />
      <p>Its URI can be proved for another resource afterwards.</p>
    </RevokeButton>
  )
}

function Endings({ resource: { resourceId, uri, provedAt } }: { readonly resource: Resource }) {
  const tokens = useList('tokens.list', provedAt === undefined ? undefined : { audience: uri, alive: true }, ({ tokenId }) => tokenId)
  const introductions = useList('introductions.list', { role: 'to' }, ({ introductionId }) => introductionId)
  const isOfResource = ({ to, state }: { readonly to?: string | undefined; readonly state: string }) =>
    to === resourceId && state === 'granted'
  return (
    <ul>
      <li>{counted(introductions, 'introduction', isOfResource)} to it, among those of your organisation</li>
      <li>{counted(tokens, 'token')} that now stand</li>
      <li>every consent to use it, which grants nothing any more</li>
    </ul>
  )
}
