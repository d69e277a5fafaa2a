import { useAction } from '../../api/use-action.js'
import { useDone } from '../../ui/done.js'
import type { Resource } from './resource.js'
import { ResourceForm, type Settings } from './resource-form.js'

const settingsOf = ({ name, description, documentation, scopes, policy, bearer, operatorAgentId, understands }: Resource): Settings => ({
  name,
  scopes,
  policy,
  bearer,
  ...(description !== undefined && { description }),
  ...(documentation !== undefined && { documentation }),
  ...(operatorAgentId !== undefined && { operatorAgentId }),
  ...(understands !== undefined && { understands }),
})

/** Changes the settings of a resource. */
export function ChangeResource({ resource }: { readonly resource: Resource }) {
  const { resourceId } = resource
  const [done, say] = useDone()
  const change = useAction('resources.change', ['resources', 'tokens'])
  const save = async (settings: Settings) => {
    // Absent ones would stay
    const { description = null, documentation = null, operatorAgentId = null, understands = [] } = nullable(settings)
    const changes = { ...settings, description, documentation, operatorAgentId, understands }
    if (await change.run({ resourceId, ...changes })) say('Saved.')
  }
  return (
    <details open={resource.state === 'frozen'}>
      <summary>Settings</summary>
      <p>
        Texts and further scopes leave tokens valid. After any other change the tokens for this resource end, and clients get new ones
        within a second.
      </p>
      <ResourceForm settings={settingsOf(resource)} verb="Save" action={change} onSubmit={save} />
      {done}
    </details>
  )
}

type Optional = 'description' | 'documentation' | 'operatorAgentId'
const nullable = (settings: Settings): Omit<Settings, Optional> & { readonly [K in Optional]?: Settings[K] | null } => settings
