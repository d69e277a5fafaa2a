import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { useAction } from '../../api/use-action.js'
import { useList } from '../../api/use-query.js'
import { Empty } from '../../ui/notes.js'
import { Page, Section } from '../../ui/page.js'
import { Rows } from '../../ui/rows.js'
import { Code, Command, Foreign, State } from '../../ui/text.js'
import { NEW_RESOURCE, ResourceForm } from './resource-form.js'

const hrefOf = ({ resourceId }: { readonly resourceId: string }) => `/console/resources/${resourceId}`

const EXAMPLE = 'credence resource register https://files.acme.com/mcp --name "Acme files" --scope files:read="Read files"'

/** The protected resources of an organisation: APIs and MCP servers that are no agents. */
export function Resources() {
  const { viewer } = useConsole()
  const orgId = useLocation().query.organisation ?? viewer.orgId
  const list = useList('resources.list', { orgId }, ({ resourceId }) => resourceId)
  const mayRegister = viewer.role !== 'person' && orgId === viewer.orgId
  return (
    <Page title="Resources">
      {orgId !== viewer.orgId && (
        <p>
          Of the organisation <a href={`/console/organisations/${orgId}`}>{orgId}</a>
        </p>
      )}
      <Rows
        label="Resources"
        list={list}
        idOf={({ resourceId }) => resourceId}
        hrefOf={hrefOf}
        row={(resource) => (
          <>
            <a href={hrefOf(resource)}>
              <Foreign text={resource.name} />
            </a>
            <State state={resource.state} />
            <Code>{resource.uri}</Code>
          </>
        )}
        empty={
          <Empty>
            <p>No resource. A resource is an API or MCP server whose tokens this registry issues. Register one below, or:</p>
            <Command text={EXAMPLE} />
          </Empty>
        }
      />
      {mayRegister && (
        <Section title="Register a resource">
          <Register />
        </Section>
      )}
    </Page>
  )
}

function Register() {
  const { route } = useLocation()
  const register = useAction('resources.register', ['resources'])
  return (
    <ResourceForm
      settings={NEW_RESOURCE}
      hasUri
      verb="Register the resource"
      action={register}
      onSubmit={async (settings, uri) => {
        const registered = await register.run({ ...settings, uri })
        if (registered) route(hrefOf(registered))
      }}
    />
  )
}
