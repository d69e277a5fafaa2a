import { useConsole } from '../../api/console.js'
import { Page } from '../../ui/page.js'
import { Changes } from './changes.js'
import { Health } from './health.js'
import { Needs } from './needs.js'
import { ActiveTasks, OwnAgents, OwnConsents } from './own.js'

/** Where every question begins: what needs the viewer, what changed, and whether the registry is healthy. */
export function Overview() {
  const { viewer } = useConsole()
  const mayAudit = viewer.role === 'administrator' || viewer.role === 'operator'
  return (
    <Page title="Overview">
      <Needs />
      <OwnAgents />
      <ActiveTasks />
      <OwnConsents />
      {mayAudit && <Changes />}
      <Health />
    </Page>
  )
}
