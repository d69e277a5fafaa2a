import { Page } from '../../ui/page.js'

export function AgentPage() {
  return <Page title="AgentPage">…</Page>
}
