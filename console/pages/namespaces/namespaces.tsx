import { useLocation } from 'preact-iso'
import { useConsole } from '../../api/console.js'
import { useWholeList } from '../../api/use-whole-list.js'
import { isAdministrator } from '../../api/viewer.js'
import { useDone } from '../../ui/done.js'
import { Items } from '../../ui/items.js'
import { Page, Section } from '../../ui/page.js'
import { Command } from '../../ui/text.js'
import { AddNamespace } from './add-namespace.js'
import { NamespaceItem } from './namespace-item.js'

/** The DNS names that an organisation has proved or wants to prove, and those that others offer to it. */
export function Namespaces() {
  const { viewer } = useConsole()
  const orgId = useLocation().query.organisation ?? viewer.orgId
  const list = useWholeList('namespaces.list', { orgId })
  const [done, say] = useDone()
  const mayAdd = isAdministrator(viewer) && orgId === viewer.orgId
  return (
    <Page title="Namespaces">
      <p>A proved DNS name makes cards below it verified: callers see that the organisation owns the name.</p>
      {orgId !== viewer.orgId && (
        <p>
          Of the organisation <a href={`/console/organisations/${orgId}`}>{orgId}</a>
        </p>
      )}
      {done}
      <Items
        list={list}
        idOf={({ name, orgId: owner, state }) => `${name} ${owner} ${state}`}
        item={(namespace) => <NamespaceItem of={namespace} listed={orgId} say={say} />}
        empty={
          <>
            <p>No namespace. {mayAdd ? 'Add one below, or:' : 'An administrator adds one:'}</p>
            <Command text="credence namespace add acme.com" />
          </>
        }
      />
      {mayAdd && (
        <Section title="Add a namespace">
          <AddNamespace say={say} />
        </Section>
      )}
    </Page>
  )
}
