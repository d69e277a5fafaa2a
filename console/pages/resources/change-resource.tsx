import { useState } from 'preact/hooks'
import { useAction } from '../../api/use-action.js'
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
export function ChangeResource({ resource, say }: { readonly resource: Resource; readonly say: (text: string) => void }) {
  const { resourceId } = resource
  const [opened, setOpened] = useState(resource)
  const change = useAction('resources.change', ['resources', 'tokens'])
  const save = async (settings: Settings) => {
    // Absent ones would stay as they are
    const cleared = {
      description: settings.description ?? null,
      documentation: settings.documentation ?? null,
      operatorAgentId: settings.operatorAgentId ?? null,
      understands: settings.understands ?? [],
    }
    const changes = { ...settings, ...cleared }
    const saved = await change.run({ resourceId, ...changes })
    if (!saved) return
    setOpened(saved)
    say('The settings are saved.')
  }
  return (
    <details open={resource.state === 'frozen'}>
      <summary>Settings</summary>
      <p>
        Changed texts and added scopes leave tokens valid. Any other change revokes the tokens for this resource, and clients get new ones
        within a second.
      </p>
      {(resource.changedAt ?? 0) > (opened.changedAt ?? 0) && (
        <p class="error">
          The resource was changed meanwhile, so saving this form would revert that change.{' '}
          <button type="button" class="small" onClick={() => setOpened(resource)}>
            Show the current settings
          </button>
        </p>
      )}
      <ResourceForm key={opened.changedAt} settings={settingsOf(opened)} verb="Save" action={change} onSubmit={save} />
    </details>
  )
}
