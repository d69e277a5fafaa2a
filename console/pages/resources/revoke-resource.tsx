import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { counted } from '../../ui/dialogs/counted.js'
import { EndingsList, RevokeButton } from '../../ui/dialogs/revoke-button.js'
import type { Resource } from './resource.js'

/** Revokes a resource, with every introduction to it and every token for it. */
export function RevokeResource({ resource, say }: { readonly resource: Resource; readonly say: (text: string) => void }) {
  const { viewer } = useConsole()
  const { resourceId, orgId, name } = resource
  const revoke = useAction('resources.revoke', ['resources', 'introductions', 'tokens'])
  const endings = useEndings(resource)
  return (
    <RevokeButton
      label="Revoke the resource"
      verb="Revoke the resource"
      title="Revoke the resource"
      name={name}
      id={resourceId}
      isForeign={orgId !== viewer.orgId}
      action={revoke}
      revoke={(because) => revoke.run({ resourceId, ...because })}
      onDone={() => say(`The resource is revoked. Ended with it: ${endings.join('; ')}.`)}
    >
      <p>This also revokes:</p>
      <EndingsList of={endings} />
      <p>Its URI can be proved for another resource afterwards.</p>
    </RevokeButton>
  )
}

/** What ends with the resource, read before. */
function useEndings({ resourceId, uri, provedAt }: Resource): readonly string[] {
  const tokens = useList('tokens.list', provedAt === undefined ? undefined : { audience: uri, alive: true }, ({ tokenId }) => tokenId)
  const introductions = useList('introductions.list', { role: 'to' }, ({ introductionId }) => introductionId)
  const isOfResource = ({ to, state }: { readonly to?: string | undefined; readonly state: string }) =>
    to === resourceId && state === 'granted'
  return [
    `${counted(introductions, 'introduction', isOfResource)} to it, among those that your organisation sees`,
    `${counted(tokens, 'token')} in force`,
    'every consent to use it',
  ]
}
